"""From a line to an approved plan: the planner's session, its replies, and the agents and sub-tasks it asks for."""
