"""Pieces of Grafana dashboards as dictionaries: panels that flow into rows of 24 columns, variables, the frame."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
ONLY_ON_FAILURE = "Empty unless something fails."  # tests/observability takes such a panel's silence for good news


def _target(index, query, **more):
    expression, legend = query if isinstance(query, tuple) else (query, "")
    return {"datasource": DATASOURCE, "editorMode": "code", "expr": expression, "legendFormat": legend or "__auto",
            "range": True, "refId": chr(ord("A") + index), **more}


def _panel(kind, title, queries, width, height, about, defaults, options, target=()):
    queries = queries if isinstance(queries, list) else [queries]
    return {
        "type": kind, "title": title, "description": about, "datasource": DATASOURCE,
        "gridPos": {"w": width, "h": height},
        "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options,
        "targets": [_target(i, query, **dict(target)) for i, query in enumerate(queries)],
    }


def lines(title, queries, unit="short", about="", width=8, height=8, stacked=False, log=False, most=None):
    """A time series; a query is an expression or (expression, legend)."""
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if stacked else 8, "showPoints": "never",
              "stacking": {"mode": "normal" if stacked else "none"},
              "scaleDistribution": {"type": "log", "log": 10} if log else {"type": "linear"}}
    defaults = {"unit": unit, "custom": custom} | ({"min": 0} if not log else {}) | ({"max": most} if most else {})
    options = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    return _panel("timeseries", title, queries, width, height, about, defaults, options)


def figure(title, query, unit="short", about="", width=4, height=4, bad_above=None, mappings=()):
    """One number with its recent past behind it; red above `bad_above`."""
    steps = [{"color": "green", "value": None}]
    if bad_above is not None:
        steps.append({"color": "red", "value": bad_above})
    defaults = {"unit": unit, "thresholds": {"mode": "absolute", "steps": steps}, "noValue": "none",
                "mappings": [{"type": "value", "options": {str(k): {"text": v} for k, v in mappings}}] if mappings else []}
    options = {"colorMode": "value", "graphMode": "area", "textMode": "auto",
               "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return _panel("stat", title, query, width, height, about, defaults, options)


def heatmap(title, metric, unit="short", about="", width=12, height=8):
    """How often each bucket of a histogram was hit."""
    name, brace, matchers = metric.partition("{")
    query = f"sum by (le) (increase({name}_bucket{brace}{matchers}[$__rate_interval]))"
    options = {"calculate": False, "yAxis": {"unit": unit}, "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
               "cellGap": 1, "legend": {"show": True}, "tooltip": {"mode": "single", "yHistogram": True},
               "rowsFrame": {"layout": "auto"}}
    return _panel("heatmap", title, (query, "{{le}}"), width, height, about, {"custom": {}}, options,
                  {"format": "heatmap"})


def quantiles(metric, by="", wanted=(0.5, 0.95, 0.99), matchers=""):
    """Queries of a histogram's quantiles, for lines()."""
    group = f"le, {by}" if by else "le"
    prefix = f"{{{{{by}}}}} " if by else ""
    return [(f"histogram_quantile({q}, sum by ({group}) (rate({metric}_bucket{matchers}[$__rate_interval])))",
             f"{prefix}p{round(q * 100)}") for q in wanted]


def mean(metric, by=""):
    """A histogram's mean."""
    group = f" by ({by})" if by else ""
    return (f"sum{group} (rate({metric}_sum[$__rate_interval])) / sum{group} (rate({metric}_count[$__rate_interval]))",
            f"{{{{{by}}}}}" if by else "mean")


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"w": 24, "h": 1}}


def choice(name, label, query):
    """A variable whose values are those of a label; all of them at first."""
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE,
            "definition": query, "query": {"query": query, "refId": "StandardVariableQuery"}, "refresh": 2, "sort": 1,
            "includeAll": True, "allValue": ".+", "multi": True,
            "current": {"text": ["All"], "value": ["$__all"], "selected": True}}


def _flow(panels):
    """Gives each panel its place: left to right, a new line when one is full."""
    x = y = tallest = 0
    for number, panel in enumerate(panels, 1):
        place = panel["gridPos"]
        if x + place["w"] > 24:
            x, y, tallest = 0, y + tallest, 0
        place.update(x=x, y=y)
        x, tallest = x + place["w"], max(tallest, place["h"])
        panel["id"] = number
    return panels


def dashboard(name, title, about, panels, variables=()):
    datasource = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
                  "refresh": 1, "current": {}}
    links = [{"type": "dashboards", "title": "ip2p", "tags": ["ip2p"], "asDropdown": True, "includeVars": False,
              "keepTime": True, "icon": "external link", "targetBlank": False, "tooltip": "", "url": ""}]
    alerts = {"name": "alerts", "enable": True, "hide": False, "iconColor": "red", "datasource": DATASOURCE,
              "expr": 'ALERTS{alertname=~"Ip2p.+", alertstate="firing"}', "titleFormat": "{{alertname}}", "step": "60s"}
    return {
        "uid": f"ip2p-{name}", "title": title, "description": about, "tags": ["ip2p"], "schemaVersion": 39, "version": 1,
        "editable": False, "graphTooltip": 1, "refresh": "10s", "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser", "annotations": {"list": [alerts]}, "links": links,
        "templating": {"list": [datasource, *variables]}, "panels": _flow(panels),
    }
