# SPDX-License-Identifier: GPL-3.0-or-later
"""`callagent doctor`: everything that keeps an agent from working, found without the agent."""

from callagent.agent.doctor.checks import Check, State, worst
from callagent.agent.doctor.examination import ON_REQUEST, TOPICS, Running, examine

__all__ = ["ON_REQUEST", "TOPICS", "Check", "Running", "State", "examine", "worst"]
