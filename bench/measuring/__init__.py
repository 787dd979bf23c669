"""What the benchmarks share: places to measure at, rates, samples that are kept."""
