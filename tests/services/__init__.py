"""Real servers for tests: found where they run, or started for one test, and the roads to them that can be broken."""
