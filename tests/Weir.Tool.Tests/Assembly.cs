// Timeouts and rates are tested: tests that compete for two cores would test each other.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
