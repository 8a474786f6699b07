"""Carry out a study that a command has declared, or show its plan."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from srlab.cli.output import messages, print_json, say, show_path
from srlab.cli.parsing import parse_device

if TYPE_CHECKING:
    from srlab.data.datasets import Split
    from srlab.declare.studies import StudyFile
    from srlab.declare.study import Study
    from srlab.lab.planning import Plan
    from srlab.show.leaderboard import Leaderboard
    from srlab.training.machine import Machine

MEASURE_SECONDS = 8.0


def machine_for(study: "Study", device: str | None, threads: int | None, jobs: int) -> "Machine":
    """The device and threads of a study's runs: what was asked for, else what this machine has."""
    from srlab.training.machine import resolve_machine

    return resolve_machine(study, device=str(parse_device(device)), threads=threads, jobs=jobs)


def carry_out(
    found: "StudyFile",
    folder: Path,
    machine: "Machine",
    *,
    plan_only: bool,
    estimate: bool,
    as_json: bool,
    remark: str = "",
) -> None:
    """Run what is left of the study in `folder`, print its leaderboard and write tables and pictures.

    With `plan_only` nothing starts. Exits with 1 or 2 where a run failed.
    """
    from srlab.lab.halving import make_whole_plan

    seconds = MEASURE_SECONDS if estimate else 0
    if plan_only:
        from srlab.cli.progress import TimingProgress
        from srlab.lab.claims import check_claims
        from srlab.lab.halving import check_halving
        from srlab.lab.sources import check_sources
        from srlab.lab.until_decided import check_until_decided

        check_sources(found.study, folder)
        check_until_decided(found.study, folder)
        check_halving(found.study, folder)
        plan = make_whole_plan(found.study, folder, machine)
        for stage in plan.stages:
            check_claims(stage, data=None)  # before the time that timing takes
        if estimate:
            with TimingProgress(messages) as progress:
                plan = make_whole_plan(
                    found.study, folder, machine, measure_seconds=seconds, timing=progress.report
                )
        _show_plan(plan, found, as_json=as_json)
        if remark:
            say(remark)
        return
    from srlab.cli.progress import StudyProgress
    from srlab.data.datasets import split
    from srlab.errors import UserError
    from srlab.lab.comparison import compare
    from srlab.lab.scheduler import explain
    from srlab.lab.stages import carry_out_stages

    read: list[Split] = []

    def once(study: "Study", place: Path, is_tested: bool) -> list[Any]:
        with StudyProgress(messages, remark=remark) as progress:
            if not read:
                read.append(
                    split(train=study.train, validate=study.validate, test=study.test, progress=progress.read)
                )
            return compare(
                study,
                place,
                machine,
                question=found.question,
                announce=progress.announce,
                report=progress.report,
                measure_seconds=seconds,
                images=read[0] if is_tested else replace(read[0], test=()),
            )

    try:
        is_begun, failures = carry_out_stages(found.study, folder, once, say=say)
    except OSError as error:
        raise UserError(explain(error)) from error
    except KeyboardInterrupt:
        if messages.is_terminal:
            messages.print()  # past the ^C
        say("run the same command again: it continues where this one stopped")
        raise
    if not is_begun:
        _end_without_rates(folder, failures, as_json=as_json)
    _finish(folder, failures, as_json=as_json)


def _finish(folder: Path, failures: list[Any], *, as_json: bool) -> None:
    from srlab.cli.leaderboard import show_leaderboard
    from srlab.show.as_json import as_dict
    from srlab.show.leaderboard import leaderboard as standings

    board = standings(folder)
    if not as_json:
        show_leaderboard(board, folder)  # before anything is written, which a full disk may refuse
    written, refused = _write_results(folder, board)
    if as_json:
        print_json(
            {
                "folder": str(folder),
                **as_dict(board),
                "failures": _as_rows(failures),
                "files": [str(path) for path in written],
            }
        )
    else:
        for path in written:
            show_path(path)
    if refused is not None:
        say(f"srlab: {refused}")
    for failure in failures:
        say(f"srlab: {failure.name} failed: {failure.reason}")
    _say_what_is_not_final(folder)
    if failures:
        _end(folder, failures)
    if refused is not None:
        raise typer.Exit(2)


def _end_without_rates(folder: Path, failures: list[Any], *, as_json: bool) -> NoReturn:
    """No learning rate could be chosen, so there is no leaderboard yet."""
    if as_json:
        print_json({"folder": str(folder), "failures": _as_rows(failures)})
    for failure in failures:
        say(f"srlab: {failure.name} failed: {failure.reason}")
    say("srlab: the learning rates cannot be chosen yet, so nothing was compared")
    _end(folder, failures)


def _as_rows(failures: list[Any]) -> list[dict[str, str]]:
    return [{"run": failure.name, "kind": failure.kind, "reason": failure.reason} for failure in failures]


def _end(folder: Path, failures: list[Any]) -> NoReturn:
    """Say how to go on after failures, and exit with their code."""
    from srlab.folder.store import FAILURE, TEST
    from srlab.folder.trials import ROUNDS, trial_folder

    trials = [trial_folder(folder, part) for part in ROUNDS]
    places = (folder, *trials, *(folder / "budgets").glob("*"))
    has_details = any(
        (place / failure.name / FAILURE).exists() or (place / failure.name / TEST / FAILURE).exists()
        for failure in failures
        for place in places
    )
    messages.print(
        "run the same command again: it repeats the runs that failed"
        + ("; each failure.txt has the details" if has_details else ""),
        markup=False,
    )
    raise typer.Exit(2 if all(failure.kind == "user" for failure in failures) else 1)


def _write_results(folder: Path, board: "Leaderboard") -> tuple[list[Path], str | None]:
    """Write tables and pictures; what was written, and why not all, if something refused it."""
    from srlab.folder.store import write_text
    from srlab.lab.scheduler import explain
    from srlab.show.grid.files import as_csv
    from srlab.show.tables.board import board_as_markdown, scores_grid

    written: list[Path] = []
    try:
        texts = {"leaderboard.csv": as_csv(scores_grid(board)), "leaderboard.md": board_as_markdown(board)}
        for name, text in texts.items():
            write_text(folder / name, text)
            written.append(folder / name)
        written += _write_pictures(folder)
    except OSError as error:
        return written, explain(error)
    return written, None


def _say_what_is_not_final(folder: Path) -> None:
    """Which variants wait for a run, which started from another rate than the chosen one, and what to do."""
    from srlab.folder.choice import load_choice, outdated_starts, why_waiting
    from srlab.folder.records import run_status

    waiting = {name: choice.waits_for for name, choice in load_choice(folder).items() if choice.waits_for}
    blocked = []
    for name, runs in waiting.items():
        if all(run_status(folder / run) == "blocked" for run in runs):
            blocked.append(name)
        else:
            say(
                f"srlab: the learning rate of {name} may still change, so {name} is not scored on the "
                f"test sets yet: {why_waiting(name, folder)}"
            )
    if blocked:
        say(
            "srlab: not run yet, because the learning rate of their source may still change: "
            f"{', '.join(blocked)}"
        )
    if waiting:
        say(
            "srlab chooses a learning rate when all runs of the variant have ended. Remove the cause of "
            "the failure and run the same command again. To continue without a run, leave its rate out of "
            "--learning-rates or its seed out of --seeds"
        )
    outdated = outdated_starts(folder)
    for name, how in outdated.items():
        say(f"srlab: {name}: {how}")
    if outdated:
        say(
            "to train them from the chosen rate, remove the folders of their runs and of the runs that "
            "start from them, and run the same command again"
        )


def _write_pictures(folder: Path) -> list[Path]:
    from srlab.errors import UserError

    try:
        from srlab.show.pictures import write_pictures
    except ImportError:
        return []
    try:
        return list(write_pictures(folder))
    except UserError as error:
        say(f"no pictures: {error}")
        return []


def _show_plan(plan: "Plan", found: "StudyFile", *, as_json: bool) -> None:
    from srlab.cli.plan import plan_as_dict, show_plan

    if as_json:
        print_json(plan_as_dict(plan, question=found.question))
    else:
        show_plan(plan, question=found.question)
