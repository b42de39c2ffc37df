"""Alembic environment: works on the connection that `Database.migrate` hands over."""

from alembic import context

from crm import case_models  # noqa: F401 - its tables too
from crm.api import models as api_models  # noqa: F401
from crm.models import Base
from crm.open311 import models as open311_models  # noqa: F401

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
if connection.in_transaction():
    connection.commit()
