from django.urls import path

from . import views

api_urlpatterns = []
page_urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("theme/", views.choose_theme, name="theme-choose"),
    path("settings/", views.show_settings, name="settings"),
    path("settings/preferences/", views.save_preferences, name="preferences-save"),
    path("settings/password/", views.change_password, name="password-change"),
    path("settings/tokens/", views.create_token, name="token-create"),
    path("settings/tokens/<int:token_id>/revoke/", views.revoke, name="token-revoke"),
]
