"""What earlier runs saw: their evidence in a folder, and a line each that outlives it."""

from reports.history.facts import Facts as Facts
from reports.history.reading import History as History
from reports.history.reading import Past as Past
from reports.history.reading import past_of as past_of
from reports.history.reading import read as read
