from django.contrib.admin.apps import AdminConfig


class TaskAdminConfig(AdminConfig):
    default_site = "config.admin_site.TaskAdminSite"
