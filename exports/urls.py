from django.urls import path

from . import views

app_name = "exports"
urlpatterns = [
    path("", views.task_list, name="task-list"),
    path("new/<slug:kind>/", views.task_new, name="task-new"),
    path("<uuid:pk>/", views.task_detail, name="task-detail"),
    path("<uuid:pk>/cancel/", views.task_cancel, name="task-cancel"),
    path("<uuid:pk>/download/", views.task_download, name="task-download"),
]
