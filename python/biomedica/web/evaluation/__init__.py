"""Pages of evaluations: one of models at tasks, and the leaderboard of several."""
