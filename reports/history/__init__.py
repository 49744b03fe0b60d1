"""What earlier runs saw: their evidence in a folder, and a line each that outlives it."""

from reports.history.runs import Facts as Facts
from reports.history.runs import History as History
from reports.history.runs import Past as Past
from reports.history.runs import load_history as load_history
from reports.history.runs import past_of as past_of
