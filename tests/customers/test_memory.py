"""What a process remembers is bounded and grows old."""

from customers.memory import Memory


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_something_kept_is_found_until_it_is_too_old() -> None:
    clock = Clock()
    memory = Memory[str, int](room=2, clock=clock)
    memory.keep("a", 1)
    clock.now += 0.9
    assert memory.get("a", max_age=1) == 1
    clock.now += 0.1
    assert memory.get("a", max_age=1) is None
    assert len(memory) == 0


def test_without_an_age_it_is_kept() -> None:
    clock = Clock()
    memory = Memory[str, int](room=2, clock=clock)
    memory.keep("a", 1)
    clock.now += 1e9
    assert memory.get("a") == 1


def test_the_least_recently_used_goes_first() -> None:
    memory = Memory[str, int](room=2)
    memory.keep("a", 1)
    memory.keep("b", 2)
    memory.get("a")
    memory.keep("c", 3)
    assert [memory.get(key) for key in "abc"] == [1, None, 3]


def test_what_weighs_more_takes_more_room() -> None:
    memory = Memory[str, str](room=10, weigh=len)
    memory.keep("a", "xxxx")
    memory.keep("b", "xxxx")
    memory.keep("a", "xx")
    memory.keep("c", "xxxx")
    assert [memory.get(key) for key in "abc"] == ["xx", "xxxx", "xxxx"], "what is kept anew counts once"
    memory.keep("d", "xxxxx")
    assert [memory.get(key) is None for key in "abcd"] == [True, True, False, False]
    memory.keep("e", "x" * 11)
    assert len(memory) == 0, "there is no room for it at all"
    memory.keep("a", "x" * 10)
    assert len(memory) == 1


def test_forgetting() -> None:
    memory = Memory[str, int](room=9)
    for number, key in enumerate("abcd"):
        memory.keep(key, number)
    memory.forget("a")
    memory.forget("never kept")
    memory.forget_where(lambda value: value > 2)
    assert [memory.get(key) for key in "abcd"] == [None, 1, 2, None]
    memory.clear()
    assert len(memory) == 0
