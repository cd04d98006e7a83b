"""Several runs of the same thing: the middle one, and how far the others are from it."""

from statistics import median


class Series:
    def __init__(self, values):
        self.values = list(values)
        self.middle = median(self.values)
        self.low = min(self.values)
        self.high = max(self.values)

    def divided_by(self, other):
        """Run by run: both were measured within the same minute, so what slowed one down slowed down the other."""
        return Series(mine / theirs for mine, theirs in zip(self.values, other.values, strict=True))

    def as_json(self):
        return {"median": self.middle, "low": self.low, "high": self.high, "runs": self.values}

    def text(self, form="{:,.0f}"):
        if len(self.values) == 1:
            return form.format(self.middle)
        return f"{form} ({form}-{form})".format(self.middle, self.low, self.high)
