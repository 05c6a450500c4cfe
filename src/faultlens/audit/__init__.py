"""Study 2: which features go with failure on a task, and do they matter."""
