"""Keys that are nobody's, put together here so that no scanner takes this file for a leak."""

import ast
import random
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.records import Document, Exercise, Passage
from pipeline.core.stage import Dropped, Kept
from pipeline.languages.base import Language
from pipeline.languages.finding import LANGUAGES, named
from pipeline.recipe import QualityTable
from pipeline.stages.quality.findings import Finding, masked
from pipeline.stages.quality.personal import personal
from pipeline.stages.quality.secrets import credentials
from pipeline.stages.quality.stage import Quality

PYTHON = named("python")
CODE = (
    'def mean(values):\n    """Arithmetic mean, 0 for none."""\n    return sum(values) / len(values) if values else 0\n'
)
UPPER = "QRSTUVWXYZGHJKLMNP"
MIXED = "QRSTUVWXYZqrstuvwxyz23579GHJKMghjkm"


def fake(prefix: str, length: int, alphabet: str = UPPER) -> str:
    """A string in the form of a key."""
    return prefix + "".join(random.Random(f"{prefix}{length}").choices(alphabet, k=length))


HEX = "0123456789abcdef"
KEYS = {
    "AWS access key": fake("AK" + "IA", 16),
    "AWS secret key": "aws_secret_" + "access_key='" + fake("", 40, MIXED) + "'",
    "Azure storage key": "Account" + "Key=" + fake("", 86, MIXED) + "==",
    "GitHub token": fake("gh" + "p_", 36),
    "GitLab token": fake("gl" + "pat-", 20, MIXED),
    "Slack token": "xo" + "xb-4821093847-" + fake("", 20, "qrstuvwxyzghjkmnp"),
    "Slack webhook": "https://hooks." + "slack.com/services/T" + fake("", 9) + "/B" + fake("", 9) + "/" + fake("", 24),
    "Stripe key": fake("sk_" + "live_", 24, MIXED),
    "OpenAI key": fake("s" + "k-", 20, MIXED) + "T3Blbk" + "FJ" + fake("", 20, MIXED),
    "Anthropic key": fake("sk-" + "ant-api03-", 60, MIXED),
    "Hugging Face token": fake("h" + "f_", 34, MIXED),
    "Google API key": fake("AI" + "za", 35),
    "SendGrid key": "S" + "G." + fake("", 22, MIXED) + "." + fake("", 43, MIXED),
    "npm token": fake("np" + "m_", 36),
    "PyPI token": fake("pypi-" + "AgEIcHlwaS5vcmc", 80, MIXED),
    "Telegram token": "4821093847" + ":A" + "A" + fake("", 33, MIXED),
    "Twilio key": fake("S" + "K", 32, HEX),
    "Mailchimp key": fake("", 32, HEX) + "-us" + "12",
    "Square secret": fake("sq0" + "csp-", 43, MIXED),
    "JSON web token": fake("ey" + "J", 20) + "." + fake("ey" + "J", 20) + "." + fake("", 30),
    "DigitalOcean token": fake("dop_" + "v1_", 64, HEX),
    "Shopify token": fake("shp" + "at_", 32, HEX),
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----\\n" + fake("", 90) + "\\n-----END RSA PRIVATE KEY-----",
    "password in a URL": "postgres://" + "admin:hunter22@db.somewhere.io/x",
    "key assigned to a name": "api_" + 'key = "' + fake("", 30, MIXED) + '"',
}


def ruled(text: str, **settings: str) -> Kept[Document] | Dropped:
    (one,) = Quality(QualityTable(**settings))([Passage(text=text)])  # type: ignore[arg-type]
    return one


@pytest.mark.parametrize("kind", KEYS)
def test_planted_keys_are_found_and_never_shown(kind: str) -> None:
    key = KEYS[kind]
    text = f'{CODE}NOTE = """{key}"""\n' if '"' not in key else f"{CODE}{key}\n"
    ast.parse(text)
    one = ruled(text)
    assert isinstance(one, Dropped)
    assert (one.reason, one.detail.split(" at ")[0]) == ("secret", kind)
    assert key[-12:] not in one.detail
    assert isinstance(ruled(text, secrets="off"), Kept)
    hidden = ruled(text, secrets="mask")
    assert isinstance(hidden, Kept)
    assert key[-12:-4] not in hidden.record.text
    assert hidden.record.text.startswith(CODE)
    assert hidden.record.id != Passage(text=text).id
    ast.parse(hidden.record.text)


@pytest.mark.parametrize("kind", KEYS)
def test_keys_in_markdown_are_found(kind: str) -> None:
    assert [f.kind for f in credentials(f"Set it like this: `{KEYS[kind]}` and go on.", PYTHON)] == [kind]


@pytest.mark.parametrize(
    "harmless",
    [
        "getUserAccountSettingsFromLocalStorage",
        "AKIAIOSFODNN7EXAMPLE",
        "d41d8cd98f00b204e9800998ecf8427e",
        "https://user:password@example.com/",
        "postgres://{user}:{password}@{host}/db",
        "sk-your-key-here",
        "-----BEGIN " + "PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "your file has '-----BEGIN RSA "
        + "PRIVATE KEY-----' and\n'-----END RSA PRIVATE KEY-----' markers."
        + " x" * 500
        + "your file has '-----BEGIN RSA "
        + "PRIVATE KEY-----' and\n'-----END RSA PRIVATE KEY-----' markers.",
        "password = 'secret'",
        "hf_hub_download",
        'token = "AutoTokenizerForSequenceClassification2v1"',
        'secret_name = "projects/my-project/secrets/v2/Latest"',
        'token_type = "urn:ietf:params:oauth:token-type:jwt"',
        "api_key = os.environ['API_KEY_OF_THE_SERVICE_2024']",
        "MASK" + "AKIA" + "Q" * 16 + "X",
        fake("", 40, HEX),
    ],
)
def test_camel_case_hashes_and_placeholders_are_no_secrets(harmless: str) -> None:
    """detect-secrets #693 calls the first one a secret."""
    assert not list(credentials(f"{CODE}{harmless}\n", PYTHON))
    assert not list(credentials(f'{CODE}x = """{harmless}"""\n', PYTHON))


MARKS = [f"-----{word} RSA " + "PRIVATE KEY-----" for word in ("BEGIN", "END")]
PARTS = [
    *MARKS,
    *MARKS,
    "-----END RSA",
    "\n",
    "Proc: 4\n",
    fake("", 39),
    fake("", 40),
    "x" * 23,
    " " * 3_990,
    "-----END CERT-----",
]
WHOLE = re.compile(
    rf"{MARKS[0]}(?:(?!-----END )[\s\S]){{0,4000}}?[A-Za-z0-9+/=]{{40}}[\s\S]{{24,}}?{MARKS[1]}",
)
"""What a private key is, in one pattern: it takes the square of the text's length where keys break off."""


@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
def test_private_keys_are_found_in_one_pass_as_by_one_pattern(text: str) -> None:
    found = [(one.start, one.stop) for one in credentials(text, PYTHON) if one.kind == "private key"]
    assert found == [match.span() for match in WHOLE.finditer(text)]


def test_keys_that_break_off_do_not_make_a_text_long_to_read() -> None:
    text = "\n".join(f"{MARKS[0]}\n{fake('', 64)}" for _ in range(2_000)) + "\n" + fake("", 200_000)
    assert not list(credentials(text, PYTHON))
    assert len(list(credentials(f"{text}\n{MARKS[1]}", PYTHON))) == 1


def test_a_key_that_cannot_be_masked_without_breaking_the_code_drops_the_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rule(text: str, language: Language) -> Iterator[Finding]:
        start = text.index("def ")
        yield Finding("odd key", start, start + 4)

    monkeypatch.setattr("pipeline.stages.quality.stage.credentials", rule)
    one = ruled(CODE, secrets="mask")
    assert isinstance(one, Dropped)
    assert one.reason == "secret"
    assert one.detail.endswith("masked, the code would not parse")


def test_personal_data_is_a_setting_of_its_own() -> None:
    text = (
        CODE
        + "# written by jane.doe@somewhere.org, +1 650-253-0000, served from 93.184.216.34 and 10.0.0.1, v 1.2.3.4\n"
    )
    assert isinstance(ruled(text), Kept)
    dropped = ruled(text, personal_data="drop")
    assert isinstance(dropped, Dropped)
    assert dropped.detail.startswith("e-mail address at line 4: jane... (22 characters)")
    hidden = ruled(text, personal_data="mask")
    assert isinstance(hidden, Kept)
    assert "<EMAIL>, <PHONE>, served from <IP> and 10.0.0.1, v 1.2.3.4" in hidden.record.text


@pytest.mark.parametrize(
    "nobody",
    [
        "user@example.com",
        "root@localhost",
        "git@github.com",
        "a@b",
        "no-reply@somewhere.org",
        "x@invalid..org",
        "1.2.3.4",
        "192.168.0.1",
        "224.0.0.1",
        "+35236450.6",
        "+1 000-000-0000",
        "+1-201-555-0123",
        "12.34.56.78",
        "123.45.67.89",
        "125.125.125.125",
        "section 8.2.4.44 of HTML5",
        "IronPython 2.7.0.40",
        "ftp://joe.smith:secretive@www.somewhere.org/pub",
        "sip:a@b.com, k@b.com",
        "someone@somewhere.org",
        "postmaster@somewhere.org",
        "archive.zip@member.pkl",
        'code = "import triton\\n@triton.autotune"',
        "1 + 23456789012",
    ],
)
def test_addresses_of_nobody_stay(nobody: str) -> None:
    assert not list(personal(f"see {nobody} there", PYTHON))


def test_matrix_products_are_no_addresses() -> None:
    code = "def f(x, w):\n    return x@w.weight + x @ w.bias  # ask jo@somewhere.org\n"
    assert [code[f.start : f.stop] for f in personal(code, PYTHON)] == ["jo@somewhere.org"]
    lesson = f"Multiply them:\n\n```python\n{code}```\n\nWrite to al@elsewhere.net.\n"
    assert [lesson[f.start : f.stop] for f in personal(lesson, PYTHON)] == ["jo@somewhere.org", "al@elsewhere.net"]


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("kind", KEYS)
def test_a_key_is_found_in_the_prose_of_every_language(name: str, kind: str) -> None:
    text = f"-- Set it to {KEYS[kind]} and go on.\n"
    assert [found.kind for found in credentials(text, named(name))] == [kind]


@pytest.mark.parametrize("kind", ["GitHub token", "AWS access key", "key assigned to a name"])
def test_a_key_in_a_literal_of_sql_is_masked_there(kind: str) -> None:
    key = KEYS[kind]
    query = (
        f"CREATE TABLE login (token TEXT);\n-- Whose?\nSELECT 1 FROM login WHERE {key if '=' in key else repr(key)};\n"
    )
    quality = Quality(QualityTable(secrets="mask"), language="sql")
    (one,) = quality([Passage(text=query)])
    assert isinstance(one, Kept)
    assert one.record.text.endswith("<KEY>';\n") or one.record.text.endswith('<KEY>";\n')
    assert named("sql").flaw(one.record.text) == ""


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("sql", "SELECT x +14155552671 FROM t;\n", 0),
        ("sql", "SELECT x FROM t WHERE phone = '+14155552671'; -- or +14155552671\n", 2),
        ("sql", "Ask +14155552671, then:\n```sql\nSELECT x +14155552671 FROM t;\n```\n", 1),
        ("python", "y = x@weights.bias\n", 0),
        ("text", "y = x@weights.bias\n", 1),
        ("regex", "jo@somewhere.org\n", 1),
        ("regex", "jo@somewhere\\.org\n", 0),
    ],
)
def test_what_is_no_literal_of_the_language_is_nobodys(name: str, text: str, count: int) -> None:
    assert len(list(personal(text, named(name)))) == count


def test_masking_an_exercise_keeps_its_parts() -> None:
    exercise = Exercise(
        prompt='def f():\n    """Ask jane.doe@somewhere.org about this one, please."""\n',
        solution="    return 'joe@elsewhere.net'\n",
        entry_point="f",
        test="assert f()",
        test_owner="seed",
    )
    (one,) = Quality(QualityTable(personal_data="mask"))([exercise])
    assert isinstance(one, Kept)
    assert isinstance(one.record, Exercise)
    assert one.record.solution == "    return '<EMAIL>'\n"
    assert "<EMAIL>" in one.record.prompt
    assert one.record.test == exercise.test


def test_overlapping_findings_become_one_mark() -> None:
    assert masked("abcdefgh", [Finding("a", 2, 6), Finding("e-mail address", 1, 5)]) == "a<EMAIL>fgh"
