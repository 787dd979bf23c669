"""A pytest plugin: with ``--complete``, every test that was found must have passed.

A test that is skipped, deselected or expected to fail says nothing, so for the whole
suite such a test is a failure. Without the option nothing changes.
"""

from collections import Counter

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--complete",
        action="store_true",
        help="fail unless every test that was collected has passed",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--complete"):
        config.pluginmanager.register(Completeness(config), "completeness")


class Completeness:
    """Counts what was found against what passed, in one process or in several."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._collected: set[str] = set()
        self._outcomes: Counter[str] = Counter()
        self._odd: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self._collected.update(item.nodeid for item in items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._collected.update(ids)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        names = [item.nodeid for item in items]
        self._collected.update(names)
        # In a process of xdist: the one that started it asks for these at the end.
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output.setdefault("deselected", []).extend(names)
        else:
            self._deselected(names)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        output = getattr(node, "workeroutput", {})
        self._deselected(output.get("deselected", []))

    def _deselected(self, names: list[str]) -> None:
        known = set(self._odd)
        self._collected.update(names)
        lines = [f"deselected: {name}" for name in names]
        self._odd.extend(line for line in lines if line not in known)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._collected.add(report.nodeid)
            self._odd.append(f"skipped as a whole: {report.nodeid}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        expected_to_fail = hasattr(report, "wasxfail")
        if expected_to_fail or report.skipped:
            what = "expected to fail" if expected_to_fail else "skipped"
            self._odd.append(f"{what}: {report.nodeid}")
        elif report.when == "call" and report.passed:
            self._outcomes["passed"] += 1

    @property
    def _is_complete(self) -> bool:
        return not self._odd and self._outcomes["passed"] == len(self._collected)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        whole = not hasattr(self._config, "workerinput")
        if whole and session.exitstatus == 0 and not self._is_complete:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        for line in self._odd:
            terminalreporter.write_line(f"not run in full, {line}", red=True)
        terminalreporter.write_line(
            f"{len(self._collected)} collected, {self._outcomes['passed']} passed: "
            + ("complete" if self._is_complete else "NOT COMPLETE"),
            green=self._is_complete,
            red=not self._is_complete,
        )
