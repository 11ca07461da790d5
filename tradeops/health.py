from django.http import JsonResponse


def health(request):
    return JsonResponse({})


def health_live(request):
    return JsonResponse({})
