/// The frame of a report.
enum Page {
    /// Okabe and Ito's colours, distinct for colour-blind people; darker or lighter with the page.
    private static let style = """
        :root{--ink:#1b1b1b;--paper:#fff;--soft:#666;--line:#ddd}
        @media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--paper:#16181c;--soft:#9a9a9a;--line:#34373d}}
        body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1360px;\
        margin:2em auto;padding:0 1em}
        h1{font-size:1.5em}h2{font-size:1.15em;border-bottom:1px solid var(--line);padding-bottom:.2em}
        .plots{display:flex;flex-wrap:wrap;gap:1em}figure{margin:0;flex:1 1 560px;max-width:660px}
        figcaption{font-weight:600;margin:.3em 0}svg{width:100%;height:auto;display:block}
        .tick{font-size:11px;fill:var(--soft)}.label{font-size:12px;fill:var(--ink)}
        .grid{stroke:var(--line);stroke-width:1}polyline{fill:none;stroke-width:1.8}
        .dashed{stroke-dasharray:5 4}.bar{stroke-width:1.6}
        .legend{display:flex;flex-wrap:wrap;gap:.2em 1em;font-size:.85em;margin:.3em 0}
        .legend i{display:inline-block;width:.9em;height:.9em;border-radius:2px;margin-right:.4em;\
        vertical-align:-.1em}
        .legend i.open{opacity:.55;border-radius:50%}
        table{border-collapse:collapse;font-size:.87em;display:block;overflow-x:auto}
        td,th{padding:.2em .7em;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}
        .missing,.note,.warnings{color:var(--soft)}
        @media print{body{max-width:none}figure{break-inside:avoid}}
        """
    private static let colors = [
        "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b", "#7a7a7a",
    ]

    static func html(title: String, body: String) -> String {
        let palette = colors.enumerated().map { number, color in
            ".c\(number){stroke:\(color)}circle.c\(number){fill:\(color);stroke:none}"
                + "i.c\(number){background:\(color)}"
        }.joined()
        return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
            + "<meta name=\"viewport\" content=\"width=device-width\"/>"
            + "<title>\(escaped(title))</title><style>\(style)\(palette)</style></head>"
            + "<body>\(body)</body></html>\n"
    }

    static func table(_ header: [String], _ rows: [[String]]) -> String {
        func row(_ cells: [String], _ tag: String) -> String {
            "<tr>" + cells.map { "<\(tag)>\(escaped($0))</\(tag)>" }.joined() + "</tr>"
        }
        return "<table><thead>\(row(header, "th"))</thead><tbody>"
            + rows.map { row($0, "td") }.joined() + "</tbody></table>"
    }

    static func plots(_ plots: [Plot], orMissing text: String) -> String {
        plots.isEmpty
            ? "<p class=\"missing\">\(escaped(text))</p>"
            : "<div class=\"plots\">" + plots.map(\.svg).joined() + "</div>"
    }
}
