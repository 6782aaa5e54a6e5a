"""Who tops up much pays less a part, and is told why."""
