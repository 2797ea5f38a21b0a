// A headless Chromium that tests drive as a person would: real mouse and key events, and what the
// page then shows. It speaks the DevTools protocol over a pipe, so no port is opened.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/temporary_folder.hpp"

namespace precis::test {

/// A screen and what its user prefers.
struct Screen {
  int width = 1280;  ///< CSS pixels
  int height = 800;
  bool dark = false;
  bool phone = false;  ///< touch, and two device pixels a CSS pixel
  bool paper = false;  ///< the style of print
};

class Chromium {
 public:
  /// The program to drive: $PRECIS_CHROMIUM, or one of the usual names in $PATH.
  [[nodiscard]] static std::optional<std::string> find();

  /// Starts `program` with a profile of its own, which is removed with it. Throws Error.
  explicit Chromium(const std::string& program);
  ~Chromium();
  Chromium(const Chromium&) = delete;
  Chromium& operator=(const Chromium&) = delete;

  void set_screen(const Screen& screen);
  /// Opens a file in the page and waits until it is loaded.
  void open(const std::filesystem::path& file);
  void reload();
  /// Opens the file in a second tab and makes that the page; `use_tab` goes back to an earlier one,
  /// the first being 0.
  void open_in_new_tab(const std::filesystem::path& file);
  void use_tab(std::size_t tab);

  /// The value of a JavaScript expression. Throws Error if it throws.
  nlohmann::json evaluate(const std::string& expression);
  /// Waits until the expression is true; false after `seconds`.
  [[nodiscard]] bool wait_for(const std::string& expression, double seconds = 10);
  /// Runs at the beginning of every page opened from now on, before the page's own scripts.
  void run_before_pages(const std::string& script);

  /// Moves the mouse to the middle of the first element that the CSS selector matches, scrolled
  /// into view, and clicks. Throws Error if there is none, or if another element covers it.
  void click(const std::string& selector);
  /// Presses a key by its DOM name: "7", "n", "?", "Enter", "ArrowLeft", "Backspace", "Escape",
  /// "Tab".
  void press(const std::string& key);
  /// Types text as an input method would, where the focus is.
  void type(const std::string& text);

  /// Writes the page as a PNG: the screen, or with `whole` all of it.
  void screenshot(const std::filesystem::path& file, bool whole = false);

  /// Writes the page as a PDF on A4.
  void print(const std::filesystem::path& file);

  /// What the page complained of since it was started: console errors and warnings, exceptions,
  /// requests that failed or were refused.
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }
  /// Waits for the next download to end; its file. Throws Error after 10 seconds.
  [[nodiscard]] std::filesystem::path wait_for_download();

 private:
  using Clock = std::chrono::steady_clock;

  void start(const std::string& program);
  void attach_new_tab();
  void show_screen();
  nlohmann::json send(const std::string& method,
                      const nlohmann::json& parameters = nlohmann::json::object());
  nlohmann::json send_to(const std::string& session, const std::string& method,
                         const nlohmann::json& parameters);
  void load(const std::string& method, const nlohmann::json& parameters);
  /// Reads one message; false when none came until `deadline`.
  bool read_message(nlohmann::json& message, Clock::time_point deadline);
  void note_event(const nlohmann::json& message);
  /// Takes events in until `seen(event)`; throws Error after some seconds, saying `what`.
  template <class Seen>
  void wait_for_event(const std::string& what, const Seen& seen);
  void key_event(const char* type, const std::string& key);

  TemporaryFolder folder_;  // profile and downloads
  pid_t process_ = -1;
  int to_browser_ = -1;
  int from_browser_ = -1;
  std::string received_;
  int last_id_ = 0;
  std::vector<std::string> sessions_;  // one a tab
  std::string session_;                // of the tab that is used
  Screen screen_;
  std::vector<nlohmann::json> events_;            // not yet waited for
  std::map<std::string, std::string> downloads_;  // guid -> name
  std::vector<std::string> complaints_;
};

}  // namespace precis::test
