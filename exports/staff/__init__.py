"""Admin site for staff: overview, live list, diagnosis, self-test, actions and RQ dashboard."""
