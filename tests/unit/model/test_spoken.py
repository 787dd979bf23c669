"""What a hook's output says of how far its run is."""

import pytest

from crony.model import spoken
from crony.model.spoken import Spoken


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("half way\n", Spoken(None, "half way")),
        ('{"percent": 40, "message": "half"}\n', Spoken(40, "half")),
        ('{"percent": 40}', Spoken(40, "")),
        ('{"message": "copying"}', Spoken(None, "copying")),
        # The last one counts, whatever stands around it.
        ('{"percent": 1}\nlooked at 7 files\n{"percent": 2}\nbye\n', Spoken(2, "")),
        # JSON that says nothing of the kind is text.
        ('{"files": 7}', Spoken(None, '{"files": 7}')),
        ("7", Spoken(None, "7")),
        ('{"percent": 101}', Spoken(None, '{"percent": 101}')),
    ],
)
def test_what_a_hook_prints_is_understood_or_kept_as_it_is(
    text: str, said: Spoken
) -> None:
    assert spoken.of_text(text) == said


def test_a_message_is_cut_and_holds_only_what_can_be_sent() -> None:
    line = '{"message": "a\\u0000' + "b" * 5000 + '\\ud800"}'
    said = spoken.of_line(line)
    assert said is not None
    assert said.message == "a\N{REPLACEMENT CHARACTER}" + "b" * 1022
