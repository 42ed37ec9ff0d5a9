"""A table of submissions: each row is (name, op, what is graded, source, status)."""

IMPORT = "import numpy as np\n"


class Table(list):
    def add(self, name, op, target, source, status="passed"):
        self.append((name, op, target, IMPORT + source, status))

    def with_mistakes(self, name, op, target, source, wrong, blank=None):
        """A right submission, the same with one thing replaced by each pair (right part, wrong part), and its blank."""
        self.add(f"{name}, right", op, target, source)
        for k, (right, instead) in enumerate([wrong] if isinstance(wrong, tuple) else wrong):
            assert right in source, (name, right)
            number = f" {k + 1}" if k else ""
            self.add(f"{name}, wrong{number}", op, target, source.replace(right, instead), "failed")
        if blank is not None:
            self.add(f"{name}, blank", op, target, blank, "not done")
