"""Traffic by the hour: steps in which delays are counted, so that percentiles of hours can be added up."""

from collections.abc import Sequence

# How long reports took, in seconds: the upper ends of the steps lines_hour counts them in; the last has none.
DELAY_SECONDS = (1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400)
LEAST_TRAFFIC = 100  # messages below which the installation's figures would tell of single customers


def delay_percentile(counts: Sequence[int], share: float) -> int | None:
    """The end of the step, in seconds, within which this share of the reports came; None without reports, or when it
    lies in the last step, which is open."""
    wanted = sum(counts) * share
    seen = 0
    for end, count in zip(DELAY_SECONDS, counts, strict=False):
        seen += count
        if wanted and seen >= wanted:
            return end
    return None
