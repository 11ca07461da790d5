from django.urls import path

from . import views

api_urlpatterns = []
page_urlpatterns = [
    path("jobs/", views.jobs, name="jobs"),
    path("jobs/<int:id>/again/", views.run_again, name="job-again"),
]
