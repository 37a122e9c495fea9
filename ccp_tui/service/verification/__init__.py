"""From a submission to a verdict: checks, evidence, reviewer agents."""
