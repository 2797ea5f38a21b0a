// Pages: text stays text, numbers read well, tables are aligned.
#include "page/html.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "page/number.hpp"
#include "page/style.hpp"
#include "page/table.hpp"

namespace precis {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string unknown = "\xef\xbf\xbd";

TEST(Escaped, TextCannotEndItsElementOrAttribute) {
  EXPECT_EQ(escaped("<script>alert('a' & \"b\")</script>"),
            "&lt;script&gt;alert(&#39;a&#39; &amp; &quot;b&quot;)&lt;/script&gt;");
  EXPECT_EQ(escaped(""), "");
  EXPECT_EQ(escaped("two\nlines\tand a tab"), "two\nlines\tand a tab");
}

TEST(Escaped, KeepsEveryScript) {
  const std::string text =
      "caf\xc3\xa9 \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xf0\x9f\x98\x80 \xe4\xb8\xad";
  EXPECT_EQ(escaped(text), text);
}

TEST(Escaped, BytesAndControlCharactersThatAreNoTextAreReplaced) {
  EXPECT_EQ(escaped(std::string("a\0b", 3)), "a" + unknown + "b");
  EXPECT_EQ(escaped("\x1b[31m"), unknown + "[31m");
  EXPECT_EQ(escaped("\r\x7f"), unknown + unknown);
  EXPECT_EQ(escaped("\xc2\x85|\xc2\xa0"), unknown + "|\xc2\xa0");
  EXPECT_EQ(escaped("\xff<\xc3"), unknown + "&lt;" + unknown);
  // Overlong, a surrogate, and a sequence that is cut short.
  EXPECT_EQ(escaped("\xc0\xbc"), unknown + unknown);
  EXPECT_EQ(escaped("\xed\xa0\x80"), unknown + unknown + unknown);
  EXPECT_EQ(escaped("\xe2\x82<"), unknown + unknown + "&lt;");
  EXPECT_EQ(escaped("\xef\xbf\xbf"), unknown);
}

TEST(Escaped, EveryByteGivesTextWithoutMarkup) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) {
    all += static_cast<char>(byte);
  }
  const std::string text = escaped(all + all);
  for (const char c : {'<', '>', '"', '\'', '\0', '\r'}) {
    EXPECT_EQ(text.find(c), std::string::npos) << static_cast<int>(c);
  }
  EXPECT_EQ(escaped(text).find(unknown + unknown), text.find(unknown + unknown));
}

TEST(EscapedPath, BreaksBetweenTheParts) {
  EXPECT_EQ(escaped_path("/a/seed_1/b_c.jsonl,/d&"),
            "/<wbr>a/<wbr>seed_1/<wbr>b_<wbr>c<wbr>.jsonl,<wbr>/<wbr>d&amp;");
  EXPECT_EQ(escaped_path("1,234 words, 0.5."), "1,234 words, 0.5.");
}

TEST(EscapedStart, EndsAfterWholeCharacters) {
  EXPECT_EQ(escaped_start("\xf0\x9f\x98\x80<b>", 2), "\xf0\x9f\x98\x80&lt;\xe2\x80\xa6");
  EXPECT_EQ(escaped_start("abc", 3), "abc");
  EXPECT_EQ(escaped_start("\xff\xff", 1), unknown + "\xe2\x80\xa6");
  EXPECT_EQ(escaped_start("", 0), "");
}

TEST(Page, HasNoScriptAndNoNetwork) {
  const std::string html = to_html({.title = "<b> & co", .body = "<p>text</p>\n"});
  EXPECT_THAT(html, testing::StartsWith("<!doctype html>\n"));
  EXPECT_THAT(html, testing::EndsWith("</html>\n"));
  EXPECT_THAT(html, HasSubstr("<title>&lt;b&gt; &amp; co</title>"));
  EXPECT_THAT(html, HasSubstr("default-src 'none'; style-src 'unsafe-inline'"));
  EXPECT_THAT(html, HasSubstr("<meta charset=\"utf-8\">"));
  EXPECT_THAT(html, HasSubstr("<p>text</p>"));
  for (const char* forbidden : {"<script", "http:", "https:", "url(", "@import", "src=", "<link"}) {
    EXPECT_THAT(html, Not(HasSubstr(forbidden)));
  }
}

TEST(Page, StyleKnowsDarkPhonesAndPaper) {
  const std::string style(style_sheet());
  EXPECT_THAT(style, HasSubstr("prefers-color-scheme: dark"));
  EXPECT_THAT(style, HasSubstr("@media print"));
  EXPECT_THAT(style, HasSubstr("max-width: 30rem"));
}

TEST(Table, AlignsNumbersAndEscapesTexts) {
  const std::string html = to_html(Table{.columns = {{"na<me"}, {"share", true}},
                                         .rows = {{"a&b", "0.5"}, {"short"}},
                                         .caption = "<i>"});
  EXPECT_THAT(
      html,
      HasSubstr("<th scope=\"col\">na&lt;me</th><th scope=\"col\" class=\"number\">share</th>"));
  EXPECT_THAT(html, HasSubstr("<td dir=\"auto\">a&amp;b</td><td class=\"number\">0.5</td>"));
  EXPECT_THAT(html, HasSubstr("<td dir=\"auto\">short</td></tr>"));
  EXPECT_THAT(html, HasSubstr("<caption>&lt;i&gt;</caption>"));
}

TEST(Number, ReadsAsPeopleWriteIt) {
  EXPECT_EQ(number_text(0), "0");
  EXPECT_EQ(number_text(0.348765), "0.3488");
  EXPECT_EQ(number_text(-12.5), "-12.5");
  EXPECT_EQ(number_text(12345.4), "12,345");
  EXPECT_EQ(number_text(1376796), "1.377M");
  EXPECT_EQ(number_text(2.7719e-06), "2.77e-6");
  EXPECT_EQ(number_text(1e300), "1e300");
  EXPECT_EQ(number_text(1e-10), "1e-10");
  EXPECT_EQ(number_text(std::numeric_limits<double>::quiet_NaN()), "none");
  EXPECT_EQ(number_text(-std::numeric_limits<double>::infinity()), "none");
}

TEST(Number, SharesArePercentages) { EXPECT_EQ(percent_text(0.12345), "12.3%"); }

}  // namespace
}  // namespace precis
