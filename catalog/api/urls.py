from django.urls import path

from catalog.api import views
from catalog.api.comparing import Comparison

urlpatterns = [
    path("catalog/compare/", Comparison.as_view(), name="comparison"),
    path("catalog/solutions/", views.SolutionList.as_view(), name="solution-list"),
    path("catalog/solutions/<code:code>/", views.SolutionDetail.as_view(), name="solution-detail"),
    path("catalog/features/", views.FeatureList.as_view(), name="feature-list"),
    path("catalog/features/<code:code>/", views.FeatureDetail.as_view(), name="feature-detail"),
    path("catalog/modules/", views.ModuleList.as_view(), name="module-list"),
    path("catalog/modules/<code:code>/", views.ModuleDetail.as_view(), name="module-detail"),
    path("catalog/plans/", views.PlanList.as_view(), name="plan-list"),
    path("catalog/plans/<code:code>/", views.PlanDetail.as_view(), name="plan-detail"),
    path("catalog/add-ons/", views.AddOnList.as_view(), name="add-on-list"),
    path("catalog/add-ons/<code:code>/", views.AddOnDetail.as_view(), name="add-on-detail"),
]
