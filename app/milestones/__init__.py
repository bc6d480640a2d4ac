"""`/v1/milestones`: dated events, deadlines and terms of office in cooperation."""
