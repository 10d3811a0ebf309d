"""Ways to write a statement about invoices and customers: those that are narrowed, and those that are refused."""

from collections.abc import Callable, Mapping
from uuid import UUID, uuid4

from sqlalchemy import (
    String,
    and_,
    case,
    cast,
    column,
    delete,
    exists,
    func,
    insert,
    join,
    lambda_stmt,
    literal,
    literal_column,
    select,
    table,
    tablesample,
    text,
    true,
    tuple_,
    union,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import (
    Bundle,
    aliased,
    contains_eager,
    immediateload,
    joinedload,
    selectinload,
    subqueryload,
    with_parent,
)
from sqlalchemy.orm import join as orm_join
from sqlalchemy.sql.base import Executable

from tests.shared.host_application import Currency, Customer, HostBase, Invoice, InvoiceLine

Forms = Mapping[str, Callable[[], Executable]]

_invoices = HostBase.metadata.tables["invoices"]
_other = aliased(Invoice)
_third = aliased(Invoice)
_buyer = aliased(Customer)
_nobody = UUID(int=0)


def _recursive() -> Executable:
    found = select(Invoice.id, Invoice.customer_id).where(Invoice.number == "mine").cte(recursive=True)
    return select(found.union_all(select(_other.id, _other.customer_id).join(found, _other.amount == -1)).c.id)


READS: Forms = {
    "entity": lambda: select(Invoice),
    "column": lambda: select(Invoice.number).where(Invoice.amount > 0),
    "alias": lambda: select(_other),
    "bundle": lambda: select(Bundle("b", Invoice.number, Invoice.amount)),
    "two entities": lambda: select(Invoice, Customer).where(Invoice.customer_id == Customer.id),
    "entity and its alias": lambda: select(Invoice.number, _other.number),
    "computed column": lambda: select(Invoice.amount_twice),  # type: ignore[attr-defined]
    "expression": lambda: select(Invoice.amount + 1, cast(Invoice.amount, String)),
    "case": lambda: select(case((Invoice.amount > 1, "many"), else_="one")),
    "distinct": lambda: select(Invoice.owner_id).distinct(),
    "group by": lambda: select(Invoice.owner_id, func.count()).group_by(Invoice.owner_id),
    "having": lambda: select(Invoice.owner_id).group_by(Invoice.owner_id).having(func.count(Invoice.id) > 0),
    "ordered by a string": lambda: select(Invoice.number).order_by("number"),
    "for update": lambda: select(Invoice).with_for_update(of=Invoice),
    "harmless text": lambda: select(Invoice.number).where(text("1 = 1")),
    "filter_by": lambda: select(Invoice).filter_by(number="others"),
    "only in WHERE": lambda: select(literal(1)).where(Invoice.number == "others"),
    "only in WHERE, deeper": lambda: select(literal(1)).where(
        tuple_(Invoice.number, _other.number) == ("mates", "mine")
    ),
    "count of rows": lambda: select(func.count()).select_from(Invoice),
    "count of a column": lambda: select(func.count(Invoice.id)),
    "count of a subquery": lambda: select(func.count()).select_from(select(Invoice).subquery()),
    "count of a CTE": lambda: select(func.count()).select_from(select(Invoice.id).cte()),
    "maximum in an expression": lambda: select(func.max(Invoice.amount) + 1),
    "aggregates of two": lambda: select(func.max(Invoice.amount), func.max(_other.amount)),
    "window over a named entity": lambda: select(Invoice.id, func.row_number().over(order_by=Invoice.amount)),
    "window with select_from": lambda: select(func.count().over(order_by=Invoice.amount)).select_from(Invoice),
    "coalesce of two with select_from": lambda: select(
        func.coalesce(func.max(Invoice.amount), func.max(_other.amount))
    ).select_from(Invoice, _other),
    "subquery": lambda: select(select(Invoice).subquery().c.number),
    "scalar subquery": lambda: select(select(func.count(Invoice.id)).scalar_subquery()),
    "CTE": lambda: select(select(Invoice.number).cte().c.number),
    "recursive CTE": _recursive,
    "lateral": lambda: select(
        Customer.name, select(Invoice.number).where(Invoice.customer_id == Customer.id).lateral().c.number
    ),
    "EXISTS selected": lambda: select(exists(select(Invoice.id).where(Invoice.number == "others"))),
    "EXISTS without selecting": lambda: select(literal(1)).where(exists().where(Invoice.number == "others")),
    "NOT EXISTS": lambda: select(Customer.name).where(~exists().where(Invoice.customer_id == Customer.id)),
    "IN": lambda: select(Customer.name).where(Customer.id.in_(select(Invoice.customer_id))),
    "NOT IN": lambda: select(Currency.code).where(Currency.invoice_id.not_in(select(Invoice.id))),
    "IN beside an unprotected table": lambda: select(Currency.code).where(Currency.invoice_id.in_(select(Invoice.id))),
    "correlated, on the surface": lambda: select(
        Customer.name,
        select(func.count(Invoice.id)).where(Invoice.customer_id == Customer.id).scalar_subquery(),
    ),
    "correlated, inside functions": lambda: select(Customer.name).where(
        exists(select(1).select_from(Invoice).where(func.lower(Invoice.number) == func.lower(Customer.name)))
    ),
    "correlated, explicitly": lambda: select(Customer.name).where(
        exists(
            select(1)
            .select_from(Invoice)
            .where(func.lower(Invoice.number) == func.lower(Customer.name))
            .correlate(Customer)
        )
    ),
    "correlated, but the other way": lambda: select(Customer.name).where(
        exists(select(1).where(Invoice.customer_id == Customer.id).correlate(Invoice))
    ),
    "union": lambda: union(select(Invoice.number), select(_other.number)),
    "union all, ordered": lambda: union_all(select(Invoice.number), select(Customer.name)).order_by("number"),
    "selected from a union": lambda: select(union(select(Invoice.number), select(Customer.name)).subquery()),
    "from_statement": lambda: select(Invoice).from_statement(select(Invoice)),
    "from_statement of a union": lambda: select(Invoice).from_statement(union(select(Invoice), select(_other))),
    "alias of a subquery": lambda: select(aliased(Invoice, select(Invoice).subquery())),
    "sample": lambda: select(aliased(Invoice, tablesample(Invoice, func.bernoulli(100)))),
    "join by relationship": lambda: select(Customer.name).join(Customer.invoices),
    "join by entity": lambda: select(Customer.name).join(Invoice, Invoice.customer_id == Customer.id),
    "join to an alias": lambda: select(Customer.name).join(_other, _other.customer_id == Customer.id),
    "join of an alias": lambda: select(_other.number).join(Invoice, Invoice.id == _other.id),
    "join of two aliases": lambda: select(_other.number).join(_third, _third.number != _other.number),
    "join to an alias by relationship": lambda: select(Customer.name).join(Customer.invoices.of_type(_other)),
    "join from": lambda: select(Customer.name).join_from(Invoice, Customer, Invoice.customer_id == Customer.id),
    "join after join": lambda: (
        select(Customer.name).join(Customer.invoices).join(_other, _other.number != Invoice.number)
    ),
    "join with more criteria": lambda: select(Customer.name).join(Customer.invoices.and_(Invoice.amount > 1)),
    "join and count": lambda: select(func.count()).select_from(Customer).join(Customer.invoices),
    "join, then other columns": lambda: select(Invoice.id).join(Invoice.customer).with_only_columns(func.count()),
    "left join": lambda: select(Customer.name, Invoice.number).outerjoin(Customer.invoices),
    "left join to an alias": lambda: select(Customer.name, _other.number).outerjoin(_other, _other.amount > 2),
    "left join backwards": lambda: select(Currency.code, Invoice.number).outerjoin(Invoice, true()),
    "cross join": lambda: select(Invoice.number, _other.number).join(_other, true()),
    "any()": lambda: select(Customer.name).where(Customer.invoices.any()),
    "any() with criteria": lambda: select(Customer.name).where(Customer.invoices.any(Invoice.amount > 1)),
    "any() with criteria in a function": lambda: select(Customer.name).where(
        Customer.invoices.any(func.lower(Invoice.number) == "others")
    ),
    "any() of an alias": lambda: select(_buyer.name).where(_buyer.invoices.any()),
    "any() to an alias": lambda: select(Customer.name).where(Customer.invoices.of_type(_other).any()),
    "no any()": lambda: select(Customer.name).where(~Customer.invoices.any()),
    "has()": lambda: select(Invoice.number).where(Invoice.customer.has()),
    "with_parent": lambda: select(Invoice).where(
        with_parent(Customer(id=_nobody, mandate_id=_nobody), Customer.invoices)
    ),
    "joinedload": lambda: select(Customer).options(joinedload(Customer.invoices)),
    "joinedload of an unprotected parent's": lambda: select(Customer).options(
        joinedload(Customer.invoices).joinedload(Invoice.lines)
    ),
    "selectinload": lambda: select(Customer).options(selectinload(Customer.invoices).selectinload(Invoice.lines)),
    "selectinload with criteria": lambda: select(Customer).options(
        selectinload(Customer.invoices.and_(Invoice.amount > 1))
    ),
    "subqueryload": lambda: select(Customer).options(subqueryload(Customer.invoices)),
    "immediateload": lambda: select(Customer).options(immediateload(Customer.invoices)),
    "contains_eager": lambda: (
        select(Customer).join(Customer.invoices).options(contains_eager(Customer.invoices)).distinct()
    ),
}

WRITES: Forms = {
    "update": lambda: update(Invoice).values(amount=0).where(Invoice.number != ""),
    "update of all": lambda: update(Invoice).values(amount=0),
    "update with returning": lambda: update(Invoice).values(amount=0).returning(Invoice.number),
    "update returning the entity": lambda: update(Invoice).values(amount=0).returning(Invoice),
    "update from itself": lambda: update(Invoice).values(amount=Invoice.amount + 1),
    "update by a subquery of its own": lambda: (
        update(Invoice)
        .values(amount=select(func.count(_other.id)).scalar_subquery())
        .where(Invoice.id.in_(select(_third.id)))
    ),
    "update of what an unprotected table names": lambda: (
        update(Invoice).values(amount=0).where(exists(select(1).where(Currency.invoice_id == Invoice.id)))
    ),
    "delete": lambda: delete(InvoiceLine),
    "delete some": lambda: delete(InvoiceLine).where(InvoiceLine.words.like("%1")),
    "delete with returning": lambda: delete(InvoiceLine).returning(InvoiceLine.words),
}

REFUSED: Forms = {
    "Core select": lambda: select(_invoices.c.number),
    "Core select of a table": lambda: select(_invoices),
    "Core alias": lambda: select(_invoices.alias().c.number),
    "Core beside an entity": lambda: select(Customer.name, _invoices.c.number),
    "Core alias beside the entity": lambda: select(Invoice.number, _invoices.alias().c.number),
    "Core subquery": lambda: select(Customer.name).where(Customer.id.in_(select(_invoices.c.customer_id))),
    "Core CTE": lambda: select(select(_invoices).cte().c.number),
    "Core union": lambda: union(select(Invoice.number), select(_invoices.c.number)),
    "Core row as a value": lambda: select(func.to_json(_invoices.table_valued())),
    "Core sample": lambda: select(tablesample(Invoice, func.bernoulli(100)).c.number),
    "Core sub-table by name": lambda: select(column("number")).select_from(table("invoices", column("number"))),
    "Core update": lambda: update(_invoices).values(amount_cents=0),
    "Core delete": lambda: delete(_invoices),
    "Core insert": lambda: insert(_invoices).values(number="x"),
    "Core from_statement": lambda: select(Invoice).from_statement(select(_invoices)),
    "text": lambda: text("SELECT number FROM invoices"),
    "text in other letters": lambda: text('SELECT number FROM public."Invoices"'),
    "text with columns": lambda: text("SELECT number FROM invoices").columns(column("number")),
    "text inside": lambda: select(Customer.name).where(text("id IN (SELECT customer_id FROM invoices)")),
    "literal column": lambda: select(literal_column("(SELECT count(*) FROM invoices)")),
    "text as a prefix": lambda: select(Currency.code).prefix_with(text("(SELECT max(number) FROM invoices),")),
    "text as a hint": lambda: select(Currency.code).with_statement_hint("UNION SELECT number FROM invoices"),
    "from_statement of a text": lambda: select(Invoice).from_statement(text("SELECT * FROM invoices")),
    "from_statement of a text without the name": lambda: select(Invoice).from_statement(text("SELECT * FROM bills")),
    "lambda statement": lambda: lambda_stmt(lambda: select(Invoice)),
    "sum of two": lambda: select(func.max(Invoice.amount) + func.max(_other.amount)),
    "concatenation of two": lambda: select(Customer.name + Invoice.number),
    "coalesce of two": lambda: select(func.coalesce(func.max(Invoice.amount), func.max(_other.amount))),
    "case of two": lambda: select(case((Customer.name == "x", Invoice.number), else_="")),
    "array of two": lambda: select(postgresql.array([Invoice.amount, _other.amount])),
    "BETWEEN of three": lambda: select(Invoice.amount.between(_other.amount, _third.amount)),
    "window alone": lambda: select(func.row_number().over(order_by=Invoice.amount)),
    "window of two": lambda: select(func.sum(Invoice.amount).over(partition_by=_other.amount)),
    "filter of two": lambda: select(func.count(Invoice.id).filter(Customer.name == "x")),
    "function in WHERE": lambda: select(literal(1)).where(func.coalesce(Invoice.amount, _other.amount) == 1),
    "function as FROM": lambda: select(func.unnest(func.string_to_array(Invoice.number, "")).table_valued("v").c.v),
    "only in ORDER BY": lambda: select(func.count(Customer.id)).order_by(Invoice.id),
    "only in ON": lambda: select(Customer.name).join(
        Invoice, and_(Invoice.customer_id == Customer.id, _other.id == Invoice.id)
    ),
    "explicit Core join": lambda: select(func.count()).select_from(
        join(_invoices, Customer.__table__, _invoices.c.customer_id == Customer.__table__.c.id)
    ),
    "explicit join": lambda: select(func.count()).select_from(
        orm_join(Invoice, Customer, Invoice.customer_id == Customer.id)
    ),
    "FULL JOIN": lambda: select(Customer.name, Invoice.number).join_from(
        Invoice, Customer, Invoice.customer_id == Customer.id, full=True
    ),
    "alone inside, so that nothing correlates": lambda: select(Customer.name).where(
        exists(select(1).where(func.lower(Customer.name) == "others"))
    ),
    "uncorrelated inside": lambda: select(Customer.name).where(
        exists(
            select(1)
            .select_from(Invoice)
            .where(func.lower(Invoice.number) == func.lower(Customer.name))
            .correlate(None)
        )
    ),
    "insert": lambda: insert(Invoice).values(number="x"),
    "insert of what was read": lambda: insert(Currency).from_select(["code"], select(Invoice.number)),
    "update of an alias": lambda: update(_other).values(amount=0),
    "update from a second table": lambda: update(Invoice).values(amount=0).where(Invoice.customer_id == Customer.id),
    "update by a second table": lambda: (
        update(Invoice).values(amount=0).where(Invoice.customer_id.in_(select(Customer.id)))
    ),
    "update to a second table's value": lambda: update(Invoice).values(
        number=select(func.max(Customer.name)).scalar_subquery()
    ),
    "update of an unprotected table by a protected one": lambda: (
        update(Currency).values(code="x").where(Currency.invoice_id.in_(select(Invoice.id)))
    ),
    "update of the owner": lambda: update(Invoice).values(owner_id=uuid4()),
    "update of the mandate": lambda: update(Invoice).values({"mandate_id": uuid4()}),
    "delete using a second table": lambda: delete(Invoice).where(Invoice.customer_id == Customer.id),
    "delete in a CTE": lambda: select(Customer.name).add_cte(delete(InvoiceLine).cte("gone")),
    "rows of a deletion": lambda: select(delete(InvoiceLine).returning(InvoiceLine.words).cte("gone").c.words),
}
