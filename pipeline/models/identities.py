"""What a model is, told without loading it: importing this imports neither torch nor transformers."""

import re
from pathlib import Path

from pipeline.core.contents import file_digest
from pipeline.core.identity import digest
from pipeline.core.names import objection
from pipeline.models.specs import ModelFile, file_of, not_found

CONVERSION_VERSION = 2
"""Raised when a conversion of the same GGUF file would give other bytes (`pipeline.models.conversion`)."""
_NOT_READ = re.compile(
    r"(readme|licen[cs]e|notice|changelog|citation|use_policy).*|\..*|.*\.(md|pdf|png|jpe?g|gif|svg|html|log|gguf|onnx|"
    r"h5|msgpack|ot|tflite|npz)|(optimizer|scheduler|rng_state|scaler|training_args|trainer_state).*",
    re.IGNORECASE,
)
"""Files in a model's folder that nothing reads when it answers: papers, other frameworks' weights, a trainer's state.
Whatever else is there (weights, configs, vocabulary, merges, chat templates, code) can change what it says."""


def model_identity(spec: str) -> dict[str, str]:
    """What `spec` names, from file digests alone: no weights are loaded and nothing is converted.

    Hub names are identified by name. Digests are of bytes, so a folder keeps its identity when it is moved. Raises
    InputError for what is neither there nor a hub name.
    """
    return identity_of(spec, file_of(spec))


def identity_of(spec: str, file: ModelFile | None) -> dict[str, str]:
    """The same where the file that `spec` names, if any, is known."""
    if file is not None:
        return {"kind": "gguf", "name": file.name, "digest": file.sha256, "conversion": str(CONVERSION_VERSION)}
    folder = Path(spec)
    if folder.is_dir():
        return {"kind": "folder", "digest": digest([[name, file_digest(read)] for name, read in _read_files(folder)])}
    if not is_hub_name(spec):
        raise not_found(spec)
    return {"kind": "hub", "name": spec}


def _read_files(folder: Path) -> list[tuple[str, Path]]:
    """The files that answers depend on, by their path in the folder, chat templates of a folder below it included."""
    files = [*folder.iterdir(), *(folder / "additional_chat_templates").glob("*.jinja")]
    read = [file for file in files if file.is_file() and not _NOT_READ.fullmatch(file.name)]
    return sorted((file.relative_to(folder).as_posix(), file) for file in read)


def is_hub_name(spec: str) -> bool:
    """Whether `spec` is "owner/name", each of them a name, and no mistyped folder: one beside folders that are here."""
    parts = spec.split("/")
    return len(parts) == 2 and not any(map(objection, parts)) and not Path(parts[0]).is_dir()
