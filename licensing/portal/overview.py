from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View


class CustomerPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        return render(request, "licensing/portal/search_page.html", {})


class UserPage(CustomerPage):
    def get(self, request: HttpRequest, customer: str, user: str) -> HttpResponse:
        return render(request, "licensing/portal/search_page.html", {})


class FiguresPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "licensing/portal/search_page.html", {})
