"""Controls by subject: runs of several images or machines side by side, and where they differ."""

from reports.matrix.model import Matrix as Matrix
from reports.matrix.model import Row as Row
from reports.matrix.model import matrix as matrix
from reports.matrix.model import shifts as shifts
from reports.matrix.text import markdown as markdown
from reports.matrix.text import statements as statements
from reports.matrix.text import told as told
