"""Alembic environment: works on the connection that `Database.migrate` hands over."""

from alembic import context

import crm.agencies.models
import crm.agents.models
import crm.api.models
import crm.archive.models
import crm.broadcasts.models
import crm.cases.models
import crm.citizens.models
import crm.intake.models
import crm.knowledge.models
import crm.notices.models
import crm.open311.models
import crm.privacy.breach_models
import crm.privacy.consent_models
import crm.privacy.models
import crm.privacy.trace_models
import crm.quality.models
import crm.recordings.models
import crm.reports.models
import crm.shifts.models
import crm.staffing.models  # noqa: F401
from crm.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
if connection.in_transaction():
    connection.commit()
