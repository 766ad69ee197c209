"""What a model wrote for itself and for the machinery, told apart from its answer.

Reasoning comes in tags (`<think>`, `<thinking>`, `<seed:think>`, `[THINK]`, `<|START_THINKING|>`), channels (gpt-oss:
`<|channel|>analysis<|message|>`; Gemma: `<|channel>thought`) or under headings (Granite). It may come after prose,
several times, without its opening tag (chat templates write that into the prompt) or without its end. The forms are
those that vLLM's and SGLang's reasoning parsers know, and what older chat models were prompted to write.

Text that is about such tags is not touched: in fenced code, in code spans, in strings, and in an answer that is Python
as it stands. A fence that a draft in the reasoning left open hides no tag.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.core.syntax import parse
from pipeline.languages.fences import Block, code_blocks, opening_fence
from pipeline.languages.python.source import parse_indented

_NAMES = (
    r"(?:think(?:ing)?|thoughts?|reasoning|reflection|scratchpad|rationale|analysis|antthinking|cot|"
    r"chain[_-]of[_-]thought|(?:inner|internal)[_-](?:monologue|thoughts?|reasoning)|thought[_-]process)"
)
_XML = rf"(?:\w{{1,20}}[:_])?{_NAMES}"
_FORMS = (
    (rf"<(?!(?:start|begin|end)_of_){_XML}(?:\s[^<>\n]{{0,200}})?(?<!/)>", rf"</{_XML}\s{{0,3}}>"),
    (r"\[(?:think(?:ing)?|reasoning)\]", r"\[/(?:think(?:ing)?|reasoning)\]"),
    (r"◁think(?:ing)?▷", r"◁/think(?:ing)?▷"),
    (
        rf"<[|｜](?:(?:start|begin)_(?:of_)?)?{_NAMES}(?:_start|_begin)?[|｜]>|<(?:start|begin)_of_{_NAMES}>",
        rf"<[|｜](?:/|end_of_|end_){_NAMES}[|｜]>|<[|｜]{_NAMES}_end[|｜]>|<end_of_{_NAMES}>",
    ),
    (r"<\|channel>thought\b", r"<channel\|>"),
    (r"<\|inner_prefix\|>", r"<\|inner_suffix\|>"),
    (r"<unused94>(?:thought\b)?", r"<unused95>"),
    (r"\[unused16\]", r"\[unused17\]"),
    (r"<\|im_start\|>think\b", r"<\|im_start\|>answer\b"),
)
"""Opening and closing tags: of most models; Magistral; Kimi-VL; Command A, OpenThinker; Gemma; Apertus; MedGemma;
Pangu; s1."""
_TAG = re.compile("|".join(f"(?P<o{n}>{begins})|(?P<c{n}>{ends})" for n, (begins, ends) in enumerate(_FORMS)), re.I)
_SOME = re.compile(
    r"<[|｜/]{0,2}[^\W\d]|\[/?(?:think|reason|unused|inst|eos|bos|pad)|◁|<<|assistantfinal|my response:", re.I
)
"""What a text has, at the least, that has any of these forms in it. Few texts do; the others are read no further."""
_HEADINGS = re.compile(
    r"\s*here(?:'s| is) my (?:thought|thinking|reasoning) process:.*?^\s*here(?:'s| is) my response:",
    re.I | re.S | re.M,
)
_DETAILS = re.compile(r"<details\s[^<>\n]*type=[\"']reasoning[\"'][^<>\n]*>.*?</details>\s*", re.I | re.S)
_CHANNEL = re.compile(r"(?:<\|start\|>assistant)?<\|channel\|>\s*(\w+)[^<]{0,80}(?:<\|constrain\|>\w+)?<\|message\|>")
_BARE_CHANNELS = re.compile(r"\s*analysis(?=\S).*?assistantfinal", re.S)
"""What is left of gpt-oss' channels where the server has taken out the special tokens."""
_ANSWER = re.compile(
    r"\s*(?:<(answer|response|output|solution|final|final_answer)>|<\|begin_of_solution\|>|<\|START_RESPONSE\|>|"
    r"\[BEGIN FINAL RESPONSE\])(.*?)(?:</\1>|<\|end_of_solution\|>|<\|END_RESPONSE\|>|\[END FINAL RESPONSE\])?\s*",
    re.I | re.S,
)
_MARKER = (
    r"(?:<[|｜]/?[\w▁ .:/-]{1,40}[|｜]>|</?s>|<(?:eo[sdtm]|bos|pad|unk|start_of_turn|end_of_turn|turn\||\|turn|"
    r"end_?of_?text|fim_\w{3,9}|file_sep)>|"
    r"\[/?INST\]|\[(?:EOS|BOS|PAD)\]|<</?SYS>>)"
)
_LEADING = re.compile(
    rf"(?!<s>[^\n]*</s>)(?:\s*{_MARKER}[ \t]*(?:(?:assistant|model)\b[ \t]*(?=\n|{_MARKER}|\Z))?)+\n*"
)
_TRAILING = re.compile(rf"{_MARKER}\Z")
_LONGEST = 64
"""Characters of a marker at most."""
_GLUED = re.compile(rf"^([ \t>]*(?:`{{3,}}|~{{3,}}))[ \t]*(?={_MARKER}|</|\[/|◁/)", re.M)
_BEFORE_FENCE = re.compile(rf"(?:{_MARKER}|{_TAG.pattern})(?=[ \t]*(?:`{{3,}}[^`\n]*|~{{3,}}[^\n]*)\n)", re.I)
_TURN = re.compile(
    r"<\|im_(?:end|start)\|>|<\|e(?:o[tm]_id|ot)\|>|<end_of_turn>|<turn\|>|<\|endof\w+\|>|<\|end_of_\w+\|>|"
    r"<\|start_header_id\|>|<start_of_turn>|<\|(?:user|system|observation|end|return|call)\|>|"
    r"</s>(?=\s*(?:<s>|\[INST\]|\Z))|<[|｜](?:end▁of▁sentence|User)[|｜]>",
    re.I,
)
_CODE_SPAN = re.compile(r"(?<!`)(`{1,2})(?!`)[^`\n]+\1(?!`)")
_STRING = re.compile(r"\"[^\"\n]*\"|(?<!\w)'[^'\n]*'(?!\w)")


class Answer(NamedTuple):
    """text: the answer alone. unfinished: whether reasoning began that did not end, so that no answer followed it."""

    text: str
    unfinished: bool = False


class _Found(NamedTuple):
    """A tag: its form and name, whether it closes, and where it stands."""

    name: str
    closes: bool
    start: int
    stop: int


_Ranges = list[tuple[int, int]]


def answer_of(text: str) -> Answer:
    """The answer in what a model wrote: without reasoning, tags around the answer, and chat markers.

    Text without any of these comes back as it is. Where reasoning does not end, what stood before it is all there is.
    """
    if not _SOME.search(text) or parse(text) is not None:
        return Answer(text)
    text = _BEFORE_FENCE.sub(r"\g<0>\n", _GLUED.sub(r"\1\n", text))
    text, open_channel = _of_channels(_DETAILS.sub("", text))
    heading = _HEADINGS.match(text)
    if heading:
        text = text[heading.end() :].lstrip("\n")
    text, open_tag = _without_tags(text)
    text = _LEADING.sub("", text, count=1) if _LEADING.match(text) else text
    text = _first_turn(text)
    text = _without_trailing(text)
    wrapped = _ANSWER.fullmatch(text)
    return Answer(wrapped[2].strip("\n") + "\n" if wrapped else text, open_channel or open_tag)


def _of_channels(text: str) -> tuple[str, bool]:
    """Of messages in gpt-oss' channels the last final one; without one, all but the analysis."""
    bare = _BARE_CHANNELS.match(text)
    if bare:
        return text[bare.end() :], False
    if "<|channel|>" not in text:
        return text, False
    hidden = _hidden(text)
    heads = [head for head in _CHANNEL.finditer(text) if not _covered(hidden, head.start(), head.end())]
    if not heads:
        return text, False
    ends = [head.start() for head in heads[1:]] + [len(text)]
    messages = [(head[1].lower(), text[head.end() : end]) for head, end in zip(heads, ends, strict=True)]
    final = [content for channel, content in messages if channel == "final"]
    if final:
        return final[-1], False
    rest = [content.partition("<|end|>")[2] if channel == "analysis" else content for channel, content in messages]
    open_end = messages[-1][0] == "analysis" and "<|end|>" not in messages[-1][1]
    return "".join([text[: heads[0].start()], *rest]), open_end


def _without_tags(text: str) -> tuple[str, bool]:
    """The text without what stands in reasoning tags, and whether the last of these is still open."""
    if not _TAG.search(text):
        return text, False
    tags = list(_tags(text))
    ends: dict[str, list[_Found]] = {}
    for tag in tags:
        if tag.closes:
            ends.setdefault(tag.name, []).append(tag)
            ends.setdefault("", []).append(tag)
    kept: list[str] = []
    at = 0
    for tag in tags:
        if tag.start < at:
            continue
        before, after = text[at : tag.start], text[tag.stop :]
        if tag.closes:
            # Its opening stood in the prompt, or was taken for one of the reasoning: all before it is reasoning. One
            # that ends an answer after reasoning which has ended closes nothing.
            stray = kept and before.strip() and not after.strip()
            kept = [*kept, before] if stray else [""]
            at = tag.stop
            continue
        end = _first_after(ends.get(tag.name, []), tag.stop) or _first_after(ends.get("", []), tag.stop)
        if end is None and not _certain(text, tag):
            continue
        kept.append(before)
        if end is None:
            return "".join(_joined(kept)), True
        at = end.stop
    return "".join(_joined([*kept, text[at:]])), False


def _certain(text: str, tag: _Found) -> bool:
    """Whether a tag that nothing closes opens reasoning: `<analysis>` within a line may be a place to be filled in."""
    before = text[text.rfind("\n", 0, tag.start) + 1 : tag.start]
    return "think" in text[tag.start : tag.stop].lower() or not before.strip()


def _first_after(tags: list[_Found], place: int) -> _Found | None:
    at = bisect_left(tags, place, key=lambda tag: tag.start)
    return tags[at] if at < len(tags) else None


def _joined(parts: list[str]) -> Iterator[str]:
    """The parts around what was taken out, each on lines of its own."""
    for number, part in enumerate(parts):
        if number and part[:1] in ("\n", " "):
            part = re.sub(r"\A *\n+|\A ", "", part)
        if number < len(parts) - 1 and part.strip():
            part = part.rstrip(" ") if part.endswith("\n") else part.rstrip(" ") + "\n"
        yield part


def _without_trailing(text: str) -> str:
    end = whole = len(text.rstrip())
    while found := _TRAILING.search(text[max(0, end - _LONGEST) : end]):
        end -= len(found[0])
        while end and text[end - 1].isspace():
            end -= 1
    return text if end == whole else text[:end] + "\n" * text.endswith("\n")


def _first_turn(text: str) -> str:
    """The text up to where its turn ends: what follows that was written in another's name."""
    if not _TURN.search(text):
        return text
    hidden = _hidden(text)
    for marker in _TURN.finditer(text):
        if not _covered(hidden, marker.start(), marker.end()):
            return text[: marker.start()].rstrip(" ") if text[: marker.start()].strip() else text
    return text


def _tags(text: str) -> Iterator[_Found]:
    """The tags that are meant as such, in order."""
    hidden = _hidden(text)
    for found in _TAG.finditer(text):
        if not _covered(hidden, found.start(), found.end()):
            yield _found(found)


def _found(match: re.Match[str]) -> _Found:
    form = match.lastgroup or ""
    name = re.match(r"\W*([\w:-]*)", match[0])
    word = name[1].lower() if name and form[1:] == "0" else ""
    return _Found(form[1:] + word, form[0] == "c", match.start(), match.end())


def _hidden(text: str) -> _Ranges:
    """The parts of a text in which a tag is only spoken of, in order and apart."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    blocks = code_blocks(text)
    ranges = [
        (starts[block.line - 1], starts[min(block.line + block.code.count("\n"), len(starts) - 1)])
        for block in blocks
        if block.closed and _hides(block, blocks[-1].closed)
    ]
    return _apart(ranges + _quoted(text))


def _hides(block: Block, last_closed: bool) -> bool:
    """Whether a block is what it seems. One that a draft has left open holds the end of the reasoning or of the turn,
    and then the opening fence of the answer, or takes that for its end, so that the last block of the text is open."""
    quoted = _apart(_quoted(block.code))
    depth = 0
    for match in sorted([*_TAG.finditer(block.code), *_TURN.finditer(block.code)], key=lambda match: match.start()):
        if _covered(quoted, match.start(), match.end()):
            continue
        depth += 1 if match.re is _TAG and not _found(match).closes else -1
        if depth < 0:
            after = block.code[match.end() :].split("\n")
            left_open = not last_closed or any((f := opening_fence(line)) and f.info.strip() for line in after)
            return not left_open or parse_indented(block.code) is not None
    return True


def _quoted(text: str) -> _Ranges:
    """Code spans and strings on one line that may hold a tag."""
    found = [*_CODE_SPAN.finditer(text), *_STRING.finditer(text)]
    return [(span.start(), span.end()) for span in found if any(mark in span[0] for mark in "<[◁")]


def _apart(ranges: _Ranges) -> _Ranges:
    """The union of the ranges, as ranges that do not meet."""
    merged: _Ranges = []
    for start, stop in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def _covered(ranges: _Ranges, start: int, stop: int) -> bool:
    at = bisect_right(ranges, start, key=lambda one: one[0]) - 1
    return at >= 0 and stop <= ranges[at][1]
