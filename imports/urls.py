from django.urls import path

from . import views

app_name = "imports"
urlpatterns = [
    path("", views.task_list, name="task-list"),
    path("<uuid:pk>/", views.task_detail, name="task-detail"),
    path("<uuid:pk>/cancel/", views.task_cancel, name="task-cancel"),
    path("<uuid:pk>/undo/", views.task_undo, name="task-undo"),
    path("<uuid:pk>/report/", views.task_report, name="task-report"),
]
