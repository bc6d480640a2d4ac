"""The lists and details of each resource. Written from the contract by `tools/python_client.py`."""

from typing import Any, Unpack, overload

from hoptac_client import models
from hoptac_client.listings import AsyncListing, Listing
from hoptac_client.resources import AsyncResource, FieldsOf, Names, Resource
from hoptac_client.sessions import AsyncSession, Session


class Projects(Resource[models.Project, models.ProjectDetail, models.ProjectFields, models.ProjectChanges]):
    """List projects, or read and write single ones."""

    name = "projects"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.ProjectFilters],
    ) -> Listing[models.PartialProject, models.PartialProjectPage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.ProjectFilters]
    ) -> Listing[models.Project, models.ProjectPage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List projects. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class Partners(Resource[models.Partner, models.PartnerDetail, models.PartnerFields, models.PartnerChanges]):
    """List partners, or read and write single ones."""

    name = "partners"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.PartnerFilters],
    ) -> Listing[models.PartialPartner, models.PartialPartnerPage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.PartnerFilters]
    ) -> Listing[models.Partner, models.PartnerPage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List partners. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class Agreements(Resource[models.Agreement, models.AgreementDetail, models.AgreementFields, models.AgreementChanges]):
    """List agreements, or read and write single ones."""

    name = "agreements"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.AgreementFilters],
    ) -> Listing[models.PartialAgreement, models.PartialAgreementPage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.AgreementFilters]
    ) -> Listing[models.Agreement, models.AgreementPage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List agreements. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class Milestones(Resource[models.Milestone, models.MilestoneDetail, models.MilestoneFields, models.MilestoneChanges]):
    """List milestones, or read and write single ones."""

    name = "milestones"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.MilestoneFilters],
    ) -> Listing[models.PartialMilestone, models.PartialMilestonePage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.MilestoneFilters]
    ) -> Listing[models.Milestone, models.MilestonePage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List milestones. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class Statements(Resource[models.Statement, models.StatementDetail, models.StatementFields, models.StatementChanges]):
    """List statements, or read and write single ones."""

    name = "statements"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.StatementFilters],
    ) -> Listing[models.PartialStatement, models.PartialStatementPage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.StatementFilters]
    ) -> Listing[models.Statement, models.StatementPage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List statements. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class Figures(Resource[models.Figure, models.FigureDetail, models.FigureFields, models.FigureChanges]):
    """List figures, or read and write single ones."""

    name = "figures"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.FigureFilters],
    ) -> Listing[models.PartialFigure, models.PartialFigurePage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.FigureFilters]
    ) -> Listing[models.Figure, models.FigurePage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List figures. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class Indicators(Resource[models.Indicator, models.IndicatorDetail, models.IndicatorFields, models.IndicatorChanges]):
    """List indicators, or read and write single ones."""

    name = "indicators"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.IndicatorFilters],
    ) -> Listing[models.PartialIndicator, models.PartialIndicatorPage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.IndicatorFilters]
    ) -> Listing[models.Indicator, models.IndicatorPage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List indicators. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class Transactions(
    Resource[models.Transaction, models.TransactionDetail, models.TransactionFields, models.TransactionChanges]
):
    """List transactions, or read and write single ones."""

    name = "transactions"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.TransactionFilters],
    ) -> Listing[models.PartialTransaction, models.PartialTransactionPage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.TransactionFilters]
    ) -> Listing[models.Transaction, models.TransactionPage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List transactions. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class Documents(Resource[models.Document, models.DocumentDetail, models.DocumentFields, models.DocumentChanges]):
    """List documents, or read and write single ones."""

    name = "documents"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.DocumentFilters],
    ) -> Listing[models.PartialDocument, models.PartialDocumentPage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.DocumentFilters]
    ) -> Listing[models.Document, models.DocumentPage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List documents. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class Places(Resource[models.Place, models.PlaceDetail, models.PlaceFields, models.PlaceChanges]):
    """List places, or read and write single ones."""

    name = "places"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.PlaceFilters],
    ) -> Listing[models.PartialPlace, models.PartialPlacePage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.PlaceFilters]
    ) -> Listing[models.Place, models.PlacePage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List places. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class Records:
    """The resources of a registry."""

    def __init__(self, session: Session) -> None:
        """Add the resources."""
        self.projects = Projects(session)
        self.partners = Partners(session)
        self.agreements = Agreements(session)
        self.milestones = Milestones(session)
        self.statements = Statements(session)
        self.figures = Figures(session)
        self.indicators = Indicators(session)
        self.transactions = Transactions(session)
        self.documents = Documents(session)
        self.places = Places(session)

    def project(self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]) -> models.ProjectDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = self.projects.read(id, include, **params)
        return record

    def partner(self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]) -> models.PartnerDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = self.partners.read(id, include, **params)
        return record

    def agreement(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.AgreementDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = self.agreements.read(id, include, **params)
        return record

    def milestone(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.MilestoneDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = self.milestones.read(id, include, **params)
        return record

    def statement(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.StatementDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = self.statements.read(id, include, **params)
        return record

    def figure(self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]) -> models.FigureDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = self.figures.read(id, include, **params)
        return record

    def indicator(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.IndicatorDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = self.indicators.read(id, include, **params)
        return record

    def transaction(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.TransactionDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = self.transactions.read(id, include, **params)
        return record

    def document(self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]) -> models.DocumentDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = self.documents.read(id, include, **params)
        return record

    def place(self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]) -> models.PlaceDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = self.places.read(id, include, **params)
        return record


class AsyncProjects(AsyncResource[models.Project, models.ProjectDetail, models.ProjectFields, models.ProjectChanges]):
    """List projects, or read and write single ones."""

    name = "projects"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.ProjectFilters],
    ) -> AsyncListing[models.PartialProject, models.PartialProjectPage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.ProjectFilters]
    ) -> AsyncListing[models.Project, models.ProjectPage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List projects. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class AsyncPartners(AsyncResource[models.Partner, models.PartnerDetail, models.PartnerFields, models.PartnerChanges]):
    """List partners, or read and write single ones."""

    name = "partners"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.PartnerFilters],
    ) -> AsyncListing[models.PartialPartner, models.PartialPartnerPage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.PartnerFilters]
    ) -> AsyncListing[models.Partner, models.PartnerPage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List partners. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class AsyncAgreements(
    AsyncResource[models.Agreement, models.AgreementDetail, models.AgreementFields, models.AgreementChanges]
):
    """List agreements, or read and write single ones."""

    name = "agreements"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.AgreementFilters],
    ) -> AsyncListing[models.PartialAgreement, models.PartialAgreementPage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.AgreementFilters]
    ) -> AsyncListing[models.Agreement, models.AgreementPage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List agreements. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class AsyncMilestones(
    AsyncResource[models.Milestone, models.MilestoneDetail, models.MilestoneFields, models.MilestoneChanges]
):
    """List milestones, or read and write single ones."""

    name = "milestones"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.MilestoneFilters],
    ) -> AsyncListing[models.PartialMilestone, models.PartialMilestonePage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.MilestoneFilters]
    ) -> AsyncListing[models.Milestone, models.MilestonePage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List milestones. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class AsyncStatements(
    AsyncResource[models.Statement, models.StatementDetail, models.StatementFields, models.StatementChanges]
):
    """List statements, or read and write single ones."""

    name = "statements"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.StatementFilters],
    ) -> AsyncListing[models.PartialStatement, models.PartialStatementPage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.StatementFilters]
    ) -> AsyncListing[models.Statement, models.StatementPage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List statements. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class AsyncFigures(AsyncResource[models.Figure, models.FigureDetail, models.FigureFields, models.FigureChanges]):
    """List figures, or read and write single ones."""

    name = "figures"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.FigureFilters],
    ) -> AsyncListing[models.PartialFigure, models.PartialFigurePage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.FigureFilters]
    ) -> AsyncListing[models.Figure, models.FigurePage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List figures. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class AsyncIndicators(
    AsyncResource[models.Indicator, models.IndicatorDetail, models.IndicatorFields, models.IndicatorChanges]
):
    """List indicators, or read and write single ones."""

    name = "indicators"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.IndicatorFilters],
    ) -> AsyncListing[models.PartialIndicator, models.PartialIndicatorPage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.IndicatorFilters]
    ) -> AsyncListing[models.Indicator, models.IndicatorPage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List indicators. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class AsyncTransactions(
    AsyncResource[models.Transaction, models.TransactionDetail, models.TransactionFields, models.TransactionChanges]
):
    """List transactions, or read and write single ones."""

    name = "transactions"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.TransactionFilters],
    ) -> AsyncListing[models.PartialTransaction, models.PartialTransactionPage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.TransactionFilters]
    ) -> AsyncListing[models.Transaction, models.TransactionPage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List transactions. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class AsyncDocuments(
    AsyncResource[models.Document, models.DocumentDetail, models.DocumentFields, models.DocumentChanges]
):
    """List documents, or read and write single ones."""

    name = "documents"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.DocumentFilters],
    ) -> AsyncListing[models.PartialDocument, models.PartialDocumentPage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.DocumentFilters]
    ) -> AsyncListing[models.Document, models.DocumentPage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List documents. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class AsyncPlaces(AsyncResource[models.Place, models.PlaceDetail, models.PlaceFields, models.PlaceChanges]):
    """List places, or read and write single ones."""

    name = "places"

    @overload
    def __call__(
        self,
        *,
        fields: Names,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Unpack[models.PlaceFilters],
    ) -> AsyncListing[models.PartialPlace, models.PartialPlacePage]: ...

    @overload
    def __call__(
        self, *, include: Names = (), page_size: int = 100, **filters: Unpack[models.PlaceFilters]
    ) -> AsyncListing[models.Place, models.PlacePage]: ...

    def __call__(
        self,
        *,
        fields: Names | None = None,
        included_fields: FieldsOf | None = None,
        include: Names = (),
        page_size: int = 100,
        **filters: Any,
    ) -> Any:
        """List places. `fields` selects their fields, and `included_fields` those of the records in `include`."""
        return self._list(fields, included_fields, include, page_size, filters)


class AsyncRecords:
    """The resources of a registry."""

    def __init__(self, session: AsyncSession) -> None:
        """Add the resources."""
        self.projects = AsyncProjects(session)
        self.partners = AsyncPartners(session)
        self.agreements = AsyncAgreements(session)
        self.milestones = AsyncMilestones(session)
        self.statements = AsyncStatements(session)
        self.figures = AsyncFigures(session)
        self.indicators = AsyncIndicators(session)
        self.transactions = AsyncTransactions(session)
        self.documents = AsyncDocuments(session)
        self.places = AsyncPlaces(session)

    async def project(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.ProjectDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = await self.projects.read(id, include, **params)
        return record

    async def partner(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.PartnerDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = await self.partners.read(id, include, **params)
        return record

    async def agreement(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.AgreementDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = await self.agreements.read(id, include, **params)
        return record

    async def milestone(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.MilestoneDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = await self.milestones.read(id, include, **params)
        return record

    async def statement(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.StatementDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = await self.statements.read(id, include, **params)
        return record

    async def figure(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.FigureDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = await self.figures.read(id, include, **params)
        return record

    async def indicator(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.IndicatorDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = await self.indicators.read(id, include, **params)
        return record

    async def transaction(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.TransactionDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = await self.transactions.read(id, include, **params)
        return record

    async def document(
        self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]
    ) -> models.DocumentDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = await self.documents.read(id, include, **params)
        return record

    async def place(self, id: str, *, include: Names = (), **params: Unpack[models.DetailParams]) -> models.PlaceDetail:
        """Return one record, with the linked records that `include` names."""
        record, _ = await self.places.read(id, include, **params)
        return record
