// Pictures of a report and of a label page for the README; run by scripts/pictures.sh.
// usage: page_pictures REPORT.html LABEL_PAGE.html FOLDER
#include <cstdio>
#include <exception>
#include <filesystem>

#include "base/error.hpp"
#include "support/chromium.hpp"

namespace precis::test {
namespace {

void take_pictures(const char* report, const char* label_page,
                   const std::filesystem::path& folder) {
  const auto program = Chromium::find();
  require(program.has_value(),
          "No Chromium is installed: apt-get install chromium, or set "
          "PRECIS_CHROMIUM.");
  Chromium browser(*program);
  browser.set_screen({.width = 1100, .height = 890});
  browser.open(report);
  browser.evaluate(
      "[...document.querySelectorAll('h2')].find((h) => h.textContent === 'PPO')"
      ".scrollIntoView(), scrollBy(0, -16)");
  browser.screenshot(folder / "report.png");
  browser.set_screen({.width = 1100, .height = 600});
  browser.open(label_page);
  browser.click("#name");
  browser.type("ann");
  browser.click("#start-form button");
  browser.press("ArrowRight");
  browser.press("ArrowRight");
  browser.press("8");
  browser.screenshot(folder / "label_page.png");
}

}  // namespace
}  // namespace precis::test

int main(int count, char** words) {
  if (count != 4) {
    std::fputs("usage: page_pictures REPORT.html LABEL_PAGE.html FOLDER\n", stderr);
    return 2;
  }
  try {
    precis::test::take_pictures(words[1], words[2], words[3]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "page_pictures: %s\n", error.what());
    return 1;
  }
  return 0;
}
