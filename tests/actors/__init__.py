"""What actors may rely on: their lane, their supervisors. Start with test_lane.py."""
