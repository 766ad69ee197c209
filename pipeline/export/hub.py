"""`--push OWNER/NAME`: what was exported, onto the Hugging Face hub. The corpus and the model are two repositories.

Nothing is passed on whose licence is not known or forbids it, no public repository is written to unless that was said,
and no repository that holds what no export put there. The token comes from the environment and goes into the header of
requests alone.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.core.contents import size_text
from pipeline.core.errors import HornbookError, UsageError
from pipeline.export.export import MODEL, RECORD, Exported
from pipeline.export.writing import DATA, DROPPED
from pipeline.teacher.redaction import from_environment, redact

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TOKEN = "HF_TOKEN"
Kind = Literal["dataset", "model"]
_NAME = re.compile(r"[\w][\w.-]{0,95}/[\w][\w.-]{0,95}")
_ITS_OWN = frozenset({".gitattributes"})
"""What the hub itself puts into a new repository."""


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository that was, or would be, written. kind: "dataset" or "model". files: bytes by name there. url: ""
    where nothing was sent."""

    kind: Kind
    name: str
    private: bool
    files: Mapping[str, int]
    url: str = ""

    def to_json(self) -> dict[str, Any]:
        """One entry of `pushed`."""
        return asdict(self)

    def to_text(self, dry: bool) -> str:
        """For a person; a dry run lists the files."""
        size = size_text(sum(self.files.values()))
        how = "private" if self.private else "public"
        if not dry:
            return f"pushed {len(self.files)} files, {size}, to the {how} {self.kind} {self.url}"
        head = f"would push {len(self.files)} files, {size}, to the {how} {self.kind} {self.name}:"
        return "\n".join([head, *(f"  {name}  {size_text(count)}" for name, count in sorted(self.files.items()))])


def checked_name(name: str) -> str:
    """`name` as OWNER/NAME. Raises UsageError for what is none."""
    if not _NAME.fullmatch(name) or ".." in name or "--" in name or name.endswith((".git", "-", ".")):
        raise UsageError(
            f"--push {name!r:.80} is no repository's name", hint="write OWNER/NAME, as in --push me/corpus"
        )
    return name


def push(
    exported: Exported, name: str, *, public: bool = False, dry: bool = False, endpoint: str = ""
) -> list[Repository]:
    """Send what was exported to the dataset and the model called `name`; `dry`: say what would be sent, ask nobody.

    endpoint: of the hub, "" for $HF_ENDPOINT and then the public one. Raises UsageError for a conflict of licences, for
    a public repository that was not asked for and for one with other things in it, MissingKey without a token,
    HornbookError where the hub cannot be reached or refuses.
    """
    checked_name(name)
    _check_licences(exported)
    wanted = [Repository(kind, name, not public, _files(exported, kind)) for kind in _kinds(exported)]
    if dry:
        return wanted
    token = from_environment(TOKEN, "--push")
    from huggingface_hub import HfApi

    api = HfApi(endpoint=endpoint or None, token=token.reveal() if token else False, library_name="hornbook")
    with _told(name):
        for one in wanted:
            _check_remote(api, one, public)
        return [_sent(api, one, Path(exported.to)) for one in wanted]


def _kinds(exported: Exported) -> Iterator[Kind]:
    if exported.stage:
        yield "dataset"
    if exported.model:
        yield "model"


def _check_licences(exported: Exported) -> None:
    why = [f"the {what} may not be passed on: {one}" for what, found in exported.conflicts.items() for one in found]
    if why:
        raise UsageError(
            "; ".join(why),
            hint="where you know the licence, say it: --licence NAME=LICENCE with the teacher's or model's name; else "
            "leave those documents out of the recipe, or export without --push",
        )


def _files(exported: Exported, kind: Kind) -> dict[str, int]:
    """The files of a repository by their names there."""
    inside = f"{MODEL}/"
    if kind == "model":
        return {name.removeprefix(inside): size for name, size in exported.files.items() if name.startswith(inside)}
    size = (Path(exported.to) / RECORD).stat().st_size
    return {name: size for name, size in exported.files.items() if not name.startswith(inside)} | {RECORD: size}


def _check_remote(api: "HfApi", wanted: Repository, public: bool) -> None:
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        there = api.repo_info(wanted.name, repo_type=wanted.kind)
    except RepositoryNotFoundError:
        return
    if not there.private and not public:
        raise UsageError(
            f"the {wanted.kind} {wanted.name} is public", hint="say --public, or name another with --push OWNER/NAME"
        )
    files = {sibling.rfilename for sibling in getattr(there, "siblings", None) or ()} - _ITS_OWN
    if files and RECORD not in files:
        raise UsageError(
            f"the {wanted.kind} {wanted.name} holds {min(files)} and no export of hornbook's",
            hint="name another with --push OWNER/NAME, or empty it on the hub",
        )


def _sent(api: "HfApi", wanted: Repository, folder: Path) -> Repository:
    api.create_repo(wanted.name, repo_type=wanted.kind, private=wanted.private, exist_ok=True)
    done = api.upload_folder(
        repo_id=wanted.name,
        repo_type=wanted.kind,
        folder_path=folder / MODEL if wanted.kind == "model" else folder,
        allow_patterns=sorted(wanted.files),
        delete_patterns=["*.safetensors", "*.gguf"] if wanted.kind == "model" else [f"{DATA}/*", f"{DROPPED}/*"],
        commit_message="Exported by hornbook",
    )
    url = str(done.repo_url)
    return Repository(wanted.kind, wanted.name, wanted.private, wanted.files, url)


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    """Errors of the hub's client and of the network as ours, without the token."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        said = redact(" ".join((error.server_message or str(error)).split()))[:300]
        hints = {401: f"the token in {TOKEN} is not accepted: make one with the right to write",
                 403: f"the token in {TOKEN} may not write there: check its rights, and OWNER"}  # fmt: skip
        raise HornbookError(
            f"the hub refused {name}: {status} {said}", hint=hints.get(status, "try again later; nothing is sent twice")
        ) from None
    except Exception as error:
        # The client's own errors of the network are of httpx, or of httpx2, by its version.
        if not isinstance(error, OSError) and not type(error).__module__.startswith("httpx"):
            raise
        told = redact(" ".join(str(error).split()))[:300]
        raise HornbookError(
            f"the hub cannot be reached: {told}",
            hint="check the network, HF_ENDPOINT and HF_HUB_OFFLINE, and try again",
        ) from None
