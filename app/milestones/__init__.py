"""`/v1/milestones`: dated events of projects and agreements."""
