"""Runs a pipeline's definition on this machine: the same steps, one process each, in their order.

Reads what the project's own definition uses of the schema: parameters, joins, property files,
processing jobs, conditions and failures. S3 is the account's, or what stands in for it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from defectscope.deploy.calls import Account, Call
from defectscope.deploy.pipeline import JOB_ROOT
from defectscope.deploy.uploads import place
from defectscope.errors import DeployError, InvalidParameterError

_ROOT_VARIABLE = "DEFECTSCOPE_PROCESSING"
_LAST_LINES = 5


@dataclass
class Execution:
    """One run of a pipeline on this machine.

    Attributes:
        definition: Of the pipeline.
        parameters: That differ from their defaults.
        account: Whose S3 the steps read and write.
        folder: For what the steps share with their containers.
        name: Of the execution.
        environment: Of the steps, besides this process's own.
        show: Told one line per step.
        done: Names of the steps so far and how each ended.
    """

    definition: Mapping[str, Any]
    parameters: Mapping[str, str]
    account: Account
    folder: Path
    name: str = "here"
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    show: Callable[[str], None] = lambda _line: None
    done: dict[str, str] = field(default_factory=dict[str, str])

    def run(self) -> bool:
        """Runs the steps; says whether the pipeline succeeded.

        Raises:
            InvalidParameterError: A parameter is none of the pipeline's, or an expression is none
                that is known here.
            DeployError: A step failed, or S3 refused something.
        """
        known = {p["Name"] for p in self.definition["Parameters"]}
        for name in self.parameters:
            if name not in known:
                raise InvalidParameterError(f"the pipeline has no parameter {name[:60]!r}")
        return self._run_all(self.definition["Steps"])

    def value(self, expression: Any) -> Any:
        """Returns what an expression of the definition stands for.

        Raises:
            InvalidParameterError: It is none that is known here.
        """
        if isinstance(expression, list):
            return [self.value(item) for item in expression]
        if not isinstance(expression, dict):
            return expression
        if set(expression) == {"Get"}:
            return self._got(str(expression["Get"]))
        if set(expression) == {"Std:Join"}:
            join = expression["Std:Join"]
            return str(join["On"]).join(str(self.value(v)) for v in join["Values"])
        if set(expression) == {"Std:JsonGet"}:
            return self._from_file(expression["Std:JsonGet"])
        return {key: self.value(item) for key, item in expression.items()}

    def _got(self, path: str) -> str:
        kind, _, name = path.partition(".")
        if kind == "Parameters":
            defaults = {p["Name"]: p["DefaultValue"] for p in self.definition["Parameters"]}
            if name in defaults:
                return str({**defaults, **self.parameters}[name])
        if path == "Execution.PipelineExecutionId":
            return self.name
        raise InvalidParameterError(f"{path[:80]}: not known in a run on this machine")

    def _from_file(self, query: Mapping[str, Any]) -> Any:
        _, step, _, file = str(query["PropertyFile"]["Get"]).split(".")
        own = _steps(self.definition["Steps"])[step]
        (found,) = (f for f in own["PropertyFiles"] if f["PropertyFileName"] == file)
        path = self.folder / step / found["OutputName"] / found["FilePath"]
        try:
            value = json.loads(path.read_bytes())
            for key in str(query["Path"]).split("."):
                value = value[key]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DeployError(
                f"{step}: no {query['Path']} in {found['FilePath']} ({error!r})"
            ) from None
        return value

    def _run_all(self, steps: Sequence[Mapping[str, Any]]) -> bool:
        for step in steps:
            for needed in step.get("DependsOn", ()):
                if needed not in self.done:
                    raise InvalidParameterError(f"{step['Name']} comes before {needed}")
            if not self._run_one(step):
                return False
        return True

    def _run_one(self, step: Mapping[str, Any]) -> bool:
        name, arguments = str(step["Name"]), step["Arguments"]
        if step["Type"] == "Fail":
            self._end(name, str(self.value(arguments["ErrorMessage"])))
            return False
        if step["Type"] == "Condition":
            holds = all(
                self.value(c["LeftValue"]) == self.value(c["RightValue"])
                for c in arguments["Conditions"]
            )
            self._end(name, "yes" if holds else "no")
            return self._run_all(arguments["IfSteps" if holds else "ElseSteps"])
        self._end(name, self._process(name, self.value(arguments)))
        return True

    def _end(self, name: str, how: str) -> None:
        self.done[name] = how
        self.show(f"{name}: {how}")

    def _process(self, name: str, request: Mapping[str, Any]) -> str:
        """Runs a processing job's command between its inputs and its outputs."""
        root = self.folder / name
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        for given in request["ProcessingInputs"]:
            source = given["S3Input"]
            count = download(source["S3Uri"], _within(root, source["LocalPath"]), self.account)
            if not count:
                # As a job does.
                raise DeployError(f"{name}: nothing lies under {source['S3Uri']}")
        application = request["AppSpecification"]
        command = [*application["ContainerEntrypoint"], *application["ContainerArguments"]]
        command[0] = sys.executable
        done = subprocess.run(
            [str(word) for word in command],
            env={**os.environ, **self.environment, _ROOT_VARIABLE: str(root)},
            capture_output=True,
            text=True,
            timeout=request["StoppingCondition"]["MaxRuntimeInSeconds"],
            check=False,
        )
        if done.returncode:
            last = " | ".join(done.stderr.strip().splitlines()[-_LAST_LINES:])
            raise DeployError(f"{name}: status {done.returncode}: {last}")
        for made in request.get("ProcessingOutputConfig", {}).get("Outputs", ()):
            target = made["S3Output"]
            upload(_within(root, target["LocalPath"]), target["S3Uri"], self.account)
        lines = done.stdout.strip().splitlines()
        return lines[-1].partition(": ")[2] if lines else "done"


def download(uri: str, folder: Path, account: Account) -> int:
    """Copies what lies under an s3:// address into a folder; returns how many objects that was.

    Raises:
        DeployError: S3 refused, or a name leads out of the folder.
    """
    bucket, prefix = place(uri if uri.endswith("/") else f"{uri}/")
    folder.mkdir(parents=True, exist_ok=True)
    count, token = 0, None
    while True:
        more = {} if token is None else {"ContinuationToken": token}
        request = {"Bucket": bucket, "Prefix": prefix, **more}
        page = account.call(Call("s3", "list_objects_v2", request))
        for entry in page.get("Contents", ()):
            relative = str(entry["Key"])[len(prefix) :]
            path = (folder / relative).resolve()
            if not relative or relative.endswith("/"):
                continue
            if folder.resolve() not in path.parents:
                raise DeployError(f"s3://{bucket}/{entry['Key']}: its name leads out of the folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            body = account.call(Call("s3", "get_object", {"Bucket": bucket, "Key": entry["Key"]}))
            with path.open("wb") as out:
                shutil.copyfileobj(body["Body"], out)
            count += 1
        token = page.get("NextContinuationToken")
        if token is None:
            return count


def upload(folder: Path, uri: str, account: Account) -> None:
    """Copies a folder's files under an s3:// address.

    Raises:
        DeployError: S3 refused.
    """
    bucket, prefix = place(uri if uri.endswith("/") else f"{uri}/")
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        key = prefix + path.relative_to(folder).as_posix()
        with path.open("rb") as body:
            account.call(Call("s3", "put_object", {"Bucket": bucket, "Key": key, "Body": body}))


def _within(root: Path, local: str) -> Path:
    return root / local.removeprefix(f"{JOB_ROOT}/")


def _steps(steps: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Returns all steps by name, also those in branches."""
    out: dict[str, Mapping[str, Any]] = {}
    for step in steps:
        out[str(step["Name"])] = step
        if step["Type"] == "Condition":
            for branch in ("IfSteps", "ElseSteps"):
                out |= _steps(step["Arguments"][branch])
    return out
