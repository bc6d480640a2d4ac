"""All resources of the API, in the order of the documentation, and all tables of the database.

Modules that need all of them import this one: the application, the commands, the migrations and the seed.
"""

from types import ModuleType

from app.agreements.models import AGREEMENTS
from app.core import change_log
from app.core.access import key_events, keys
from app.core.database.engine import WHEN_RESTORED
from app.core.model import code_counts
from app.core.model.resource import declare
from app.core.reading import cursors
from app.core.search import tables as search_tables
from app.core.search import vocabulary
from app.core.writing import idempotency
from app.documents.models import DOCUMENTS
from app.documents.texts import tables as document_texts
from app.exchange.imports import database_tables as imports
from app.exchange.mappings import stored as mappings
from app.figures.indicators import INDICATORS
from app.figures.models import FIGURES
from app.figures.transactions import TRANSACTIONS
from app.milestones.models import MILESTONES
from app.partners.models import PARTNERS
from app.places.models import PLACES
from app.projects.models import PROJECTS
from app.statements.models import STATEMENTS
from app.webhooks import models as webhooks
from app.webhooks.disabling import disable_restored

RESOURCES = declare(
    PROJECTS, PARTNERS, AGREEMENTS, MILESTONES, STATEMENTS, FIGURES, INDICATORS, TRANSACTIONS, DOCUMENTS, PLACES
)

# The modules that declare the other tables.
TABLES: tuple[ModuleType, ...] = (
    change_log,
    code_counts,
    search_tables,
    vocabulary,
    keys,
    key_events,
    cursors,
    idempotency,
    document_texts,
    imports,
    mappings,
    webhooks,
)

# A restored database must not send the events that the original registry sends.
WHEN_RESTORED.append(disable_restored)
