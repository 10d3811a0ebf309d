"""What a process remembers of its log: the newest, bounded, whatever the threads do."""

from threading import Thread

import pytest

from modules.shared.recent_lines import RecentLines


def say(lines: RecentLines, event: str, level: str = "info", **fields: object) -> None:
    lines(None, level, {"event": event, "level": level, **fields})


def events(lines: RecentLines, most: int = 1000) -> list[object]:
    return [line["event"] for line in lines.find(most=most)]


class TestRecentLines:
    def test_pass_the_line_on_unchanged(self) -> None:
        line = {"event": "a", "level": "info", "nested": {"kept": [1]}}
        assert RecentLines()(None, "info", line) is line
        assert line == {"event": "a", "level": "info", "nested": {"kept": [1]}}

    def test_forget_the_oldest(self) -> None:
        lines = RecentLines(most_lines=5, places_for_warnings=2)
        for number in range(10):
            say(lines, str(number))
        assert events(lines) == ["9", "8", "7"]

    def test_keep_a_warning_while_quick_lines_come_and_go(self) -> None:
        lines = RecentLines(most_lines=5, places_for_warnings=2)
        say(lines, "trouble", "error")
        for number in range(10):
            say(lines, str(number))
        assert events(lines) == ["9", "8", "7", "trouble"]

    def test_are_never_more_than_the_bound(self) -> None:
        lines = RecentLines()
        for number in range(3000):
            say(lines, str(number), "info" if number % 2 else "critical")
        assert len(events(lines, most=5000)) == 1000

    def test_cut_what_is_long(self) -> None:
        lines = RecentLines()
        say(lines, "long", path="x" * 100_000, nested=["y" * 100_000])
        (line,) = lines.find(most=1)
        assert len(str(line["path"])) == len(str(line["nested"])) == 8000

    @pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
    def test_are_found_from_a_level_upwards(self, level: str) -> None:
        lines, order = RecentLines(), ["debug", "info", "warning", "error", "critical"]
        for each in order:
            say(lines, each, each)
        found = [line["event"] for line in lines.find(least_level=level, most=9)]
        assert found == order[order.index(level) :][::-1]

    def test_may_come_from_any_thread(self) -> None:
        lines = RecentLines()

        def talk(name: str) -> None:
            for number in range(250):
                say(lines, f"{name}{number}")
                lines.find(most=10)

        threads = [Thread(target=talk, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(events(lines)) == len(set(events(lines))) == 800
