from django.urls import path

import customers.api.base  # noqa: F401 - it registers the converter <code:…>
from licensing.portal.bulk import BulkPage, BulkSelection, ListPage
from licensing.portal.changes import ChangePage, Changes, UndoChange
from licensing.portal.previews import PreviewAgain, PreviewFailures, PreviewMend, PreviewPage

# Below /portal/, in its namespace.
urlpatterns = [
    path("<code:customer>/bulk/", BulkPage.as_view(), name="bulk"),
    path("<code:customer>/bulk/selection/", BulkSelection.as_view(), name="selection"),
    path("<code:customer>/bulk/lists/<str:token>/", ListPage.as_view(), name="list"),
    path("<code:customer>/bulk/previews/<str:token>/", PreviewPage.as_view(), name="preview"),
    path("<code:customer>/bulk/previews/<str:token>/again/", PreviewAgain.as_view(), name="preview_again"),
    path("<code:customer>/bulk/previews/<str:token>/failures/", PreviewFailures.as_view(), name="preview_failures"),
    path("<code:customer>/bulk/previews/<str:token>/mend/", PreviewMend.as_view(), name="preview_mend"),
    path("<code:customer>/changes/", Changes.as_view(), name="changes"),
    path("<code:customer>/changes/<int:number>/", ChangePage.as_view(), name="change"),
    path("<code:customer>/changes/<int:number>/undo/", UndoChange.as_view(), name="undo"),
]
