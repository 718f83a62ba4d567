"""From what others publish to a folder that `fit` can learn from: candidates, download, examine, split, write."""
