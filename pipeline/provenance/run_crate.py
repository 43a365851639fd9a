"""A run as a Provenance Run Crate: its jobs, their inputs, times and results, as entities of RO-Crate.

The requirements: https://www.researchobject.org/workflow-run-crate/. Files are described, not copied: the crate
is the folder of the run. What lies outside it (raw data, scripts) is named by its SHA-256, as an RFC 6920 URI.
"""

import base64
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.model.data_entity import DataEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from pipeline.files.known_hashes import file_sha256
from pipeline.provenance.run_records import RecordedJob

PROFILES = ("process", "workflow", "provenance")
RUN_PROFILES = "https://w3id.org/ro/wfrun"
WORKFLOW_PROFILE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
# The profiles' own terms, which RO-Crate's context does not have.
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
FORMATS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".py": "text/x-python",
    ".safetensors": "application/octet-stream",
    ".sha256": "text/plain",
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
}
COMPLETED = "http://schema.org/CompletedActionStatus"


class RunCrate:
    """The crate of a run, whose folder is `folder`, relative to the repository as all paths are."""

    def __init__(self, folder: Path, checksums: dict[str, str]) -> None:
        self.folder = folder
        self.checksums = checksums  # of inputs, as Snakemake saw them
        self.crate = ROCrate(version="1.1")
        self.crate.metadata.extra_terms.update(TERMS)
        self.entities: dict[str, Entity] = {}  # of files and folders, by path

    def add(self, identifier: str, kind: str, **properties: Any) -> Entity:
        """Add an entity that is not a file, and return it. Properties that are None are left out."""
        known = {name: value for name, value in properties.items() if value is not None}
        return self.crate.add(ContextEntity(self.crate, identifier, {"@type": kind, **known}))

    def add_path(self, name: str) -> Entity:
        """Return the entity of a file or folder; it is added if it is new."""
        if name not in self.entities:
            path = Path(name)
            manifest = path.with_name(f"{path.name}.sha256")
            is_folder = path.is_dir() or (not path.suffix and manifest.is_file())
            self.entities[name] = self.add_folder(path, manifest) if is_folder else self.add_file(path, None)
        return self.entities[name]

    def add_file(self, path: Path, digest: str | None) -> Entity:
        """Add a file, whose SHA-256 may be known, and return it."""
        properties = self.describe_file(path, digest)
        return self.add_data(self.identify(path, properties["sha256"]), {"@type": "File", **properties})

    def describe_file(self, path: Path, digest: str | None) -> dict[str, Any]:
        """Return the properties of a file; those that are not known are None."""
        return {
            "name": within(path, self.folder) or shown(path),
            "encodingFormat": FORMATS.get(path.suffix),
            "contentSize": str(path.stat().st_size) if path.is_file() else None,
            "sha256": digest or self.checksums.get(str(path)) or (file_sha256(path) if path.is_file() else None),
        }

    def add_folder(self, path: Path, manifest: Path) -> Entity:
        """Add a folder, and return it. One in the crate has the files that its manifest names."""
        inside = within(path, self.folder)
        digest = file_sha256(manifest) if manifest.is_file() else None
        identifier = f"{inside}/" if inside else self.identify(path, digest)
        files = []
        if inside and manifest.is_file():
            lines = (line.partition("  ") for line in manifest.read_text(encoding="utf-8").splitlines())
            files = [self.add_file(manifest.parent / name, digest) for digest, _, name in lines]
        return self.add_data(identifier, {"@type": "Dataset", "name": inside or shown(path), "hasPart": files or None})

    def add_data(self, identifier: str, properties: dict[str, Any]) -> Entity:
        """Add a file or folder, and return it."""
        known = {name: value for name, value in properties.items() if value is not None}
        return self.crate.add(DataEntity(self.crate, identifier, known))

    def identify(self, path: Path, digest: str | None) -> str:
        """Return the id of a file: its path within the crate, or its SHA-256 where it is outside."""
        if inside := within(path, self.folder):
            return inside
        if digest is None:
            return f"#{shown(path)}"
        return f"ni:///sha-256;{base64.urlsafe_b64encode(bytes.fromhex(digest)).decode().rstrip('=')}"

    def add_parameter(self, direction: str, name: str, examples: list[Entity]) -> Entity:
        """Add an input or output of the workflow, with these files as examples, and return it."""
        parameter = self.add(
            f"#{direction}-{re.sub(r'[^A-Za-z0-9._-]', '-', name)}",
            "FormalParameter",
            name=name,
            additionalType=examples[0].type if examples else "File",
            workExample=one_or_more(examples),
        )
        for example in examples:
            example["exampleOfWork"] = parameter
        return parameter

    def add_profiles(self) -> None:
        """Name the profiles that the crate conforms to."""
        names = {f"{RUN_PROFILES}/{part}/0.5": f"{part.title()} Run Crate" for part in PROFILES}
        names[WORKFLOW_PROFILE] = "Workflow RO-Crate"
        self.crate.root_dataset["conformsTo"] = [
            self.add(identifier, "CreativeWork", name=name, version=identifier.rpartition("/")[2])
            for identifier, name in names.items()
        ]

    def add_job(self, job: RecordedJob, name: str, tool: Entity) -> Entity:
        """Add a job as an action, and return it."""
        results = [*sorted(job.outputs), *(account for account in job.accounts if Path(account).is_file())]
        return self.add(
            f"#run-{name}",
            "CreateAction",
            name=name,
            description=job.command,
            instrument=tool,
            object=one_or_more([self.add_path(path) for path in job.inputs]),
            result=one_or_more([self.add_path(path) for path in results]),
            startTime=as_time(job.started),
            endTime=as_time(job.ended),
            actionStatus=COMPLETED,
        )


def within(path: Path, folder: Path) -> str | None:
    """Return a path relative to the folder; None if it is outside."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else None


def shown(path: Path) -> str:
    """Return a path for readers: if it is outside the repository, only its name."""
    return path.name if path.is_absolute() or ".." in path.parts else path.as_posix()


def as_time(seconds: float | None) -> str | None:
    """Return a time in ISO 8601, in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def one_or_more(entities: list[Entity]) -> Any:
    """Return the entity of a list of one, else the list: JSON-LD has no list of one."""
    return entities[0] if len(entities) == 1 else entities


def name_jobs(jobs: Iterable[RecordedJob]) -> list[str]:
    """Return a name for each job: its rule's, with a number if the rule ran more than once."""
    rules = [job.rule for job in jobs]
    count, seen = Counter(rules), Counter[str]()
    names = []
    for rule in rules:
        names.append(f"{rule}-{seen[rule]}" if count[rule] > 1 else rule)
        seen[rule] += 1
    return names
