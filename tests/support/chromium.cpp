#include "support/chromium.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/error.hpp"
#include "base/text.hpp"

namespace precis::test {
namespace {

using Json = nlohmann::json;
using std::chrono::seconds;

// A machine that is busy with other tests starts a browser slowly.
constexpr seconds patience{30 * PRECIS_PATIENCE};

/// The two ends of a pipe, with numbers that leave 3 and 4 free for the browser.
std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  require(::pipe2(ends.data(), O_CLOEXEC) == 0, "{}", with_errno("cannot make a pipe"));
  for (int& end : ends) {
    const int moved = ::fcntl(end, F_DUPFD_CLOEXEC, 10);
    require(moved >= 0, "{}", with_errno("cannot move a pipe"));
    ::close(end);
    end = moved;
  }
  return ends;
}

std::string url_of(const std::filesystem::path& file) {
  std::string url = "file://";
  for (const char c : std::filesystem::absolute(file).string()) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || std::strchr("/._-", c) != nullptr;
    url += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return url;
}

std::string text_in(const Json& object, const char* field) {
  return object.contains(field) && object[field].is_string() ? object[field].get<std::string>()
                                                             : "";
}

std::string decoded(const std::string& base64) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t group = 0;
  int bits = 0;
  for (const char c : base64) {
    const auto digit = digits.find(c);
    if (digit == std::string_view::npos) {
      break;  // padding
    }
    group = group << 6 | static_cast<std::uint32_t>(digit);
    if (bits += 6; bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>(group >> bits & 0xFF);
    }
  }
  return bytes;
}

/// Windows' number of a key, by which Chromium knows what the key does.
int key_code(const std::string& key) {
  static const std::map<std::string, int> codes = {
      {"Backspace", 8},  {"Tab", 9},      {"Enter", 13},      {"Escape", 27},   {" ", 32},
      {"ArrowLeft", 37}, {"ArrowUp", 38}, {"ArrowRight", 39}, {"ArrowDown", 40}};
  const auto found = codes.find(key);
  if (found != codes.end()) {
    return found->second;
  }
  require(key.size() == 1, "{} is not a key that the tests know.", key);
  return std::toupper(static_cast<unsigned char>(key[0]));
}

/// What a key writes, or nothing.
std::string key_text(const std::string& key) {
  return key == "Enter" ? "\r" : key.size() == 1 ? key : "";
}

}  // namespace

std::optional<std::string> Chromium::find() {
  if (const char* given = std::getenv("PRECIS_CHROMIUM")) {
    return given;
  }
  const char* path = std::getenv("PATH");
  for (const std::string& folder : split(path != nullptr ? path : "", ':')) {
    for (const char* name :
         {"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}) {
      const std::string program = folder + "/" + name;
      if (::access(program.c_str(), X_OK) == 0) {
        return program;
      }
    }
  }
  return std::nullopt;
}

Chromium::Chromium(const std::string& program) {
  start(program);
  send_to("", "Browser.setDownloadBehavior",
          {{"behavior", "allow"},
           {"downloadPath", (folder_ / "downloads").string()},
           {"eventsEnabled", true}});
  attach_new_tab();
}

Chromium::~Chromium() {
  ::close(to_browser_);
  ::close(from_browser_);
  if (process_ > 0) {
    ::kill(-process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
}

void Chromium::start(const std::string& program) {
  const auto commands = make_pipe();
  const auto replies = make_pipe();
  const std::string profile = "--user-data-dir=" + (folder_ / "profile").string();
  std::vector<std::string> words = {program,
                                    "--headless",
                                    "--remote-debugging-pipe",
                                    profile,
                                    "--disable-gpu",
                                    "--disable-dev-shm-usage",
                                    "--disable-extensions",
                                    "--disable-background-networking",
                                    "--disable-component-update",
                                    "--disable-sync",
                                    "--no-first-run",
                                    "--no-default-browser-check",
                                    "--hide-scrollbars",
                                    "about:blank"};
  if (::geteuid() == 0) {
    words.emplace_back("--no-sandbox");  // it cannot be had as root
  }
  std::vector<char*> arguments;
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  const std::string log = folder_ / "chromium.log";
  std::signal(SIGPIPE, SIG_IGN);  // a browser that ended is an error message, not the test's end

  process_ = ::fork();
  require(process_ >= 0, "{}", with_errno("cannot start " + program));
  if (process_ == 0) {
    ::setpgid(0, 0);
    const int output = ::open(log.c_str(), O_WRONLY | O_CREAT, 0600);
    ::dup2(output, 1);
    ::dup2(output, 2);
    ::dup2(commands[0], 3);
    ::dup2(replies[1], 4);
    ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }
  ::setpgid(process_, process_);
  ::close(commands[0]);
  ::close(replies[1]);
  to_browser_ = commands[1];
  from_browser_ = replies[0];
}

void Chromium::attach_new_tab() {
  const Json target = send_to("", "Target.createTarget", {{"url", "about:blank"}});
  const Json attached =
      send_to("", "Target.attachToTarget", {{"targetId", target["targetId"]}, {"flatten", true}});
  session_ = attached["sessionId"];
  sessions_.push_back(session_);
  for (const char* domain : {"Page", "Runtime", "Log", "Network"}) {
    send(domain + std::string(".enable"));
  }
  show_screen();
}

void Chromium::set_screen(const Screen& screen) {
  screen_ = screen;
  show_screen();
}

void Chromium::show_screen() {
  send("Emulation.setDeviceMetricsOverride", {{"width", screen_.width},
                                              {"height", screen_.height},
                                              {"deviceScaleFactor", screen_.phone ? 2 : 1},
                                              {"mobile", screen_.phone}});
  const Json scheme = {{"name", "prefers-color-scheme"},
                       {"value", screen_.dark ? "dark" : "light"}};
  send("Emulation.setEmulatedMedia",
       {{"media", screen_.paper ? "print" : ""}, {"features", Json::array({scheme})}});
}

void Chromium::open(const std::filesystem::path& file) {
  load("Page.navigate", {{"url", url_of(file)}});
}

void Chromium::reload() { load("Page.reload", Json::object()); }

void Chromium::load(const std::string& method, const Json& parameters) {
  std::erase_if(events_,
                [](const Json& event) { return event["method"] == "Page.loadEventFired"; });
  const Json reply = send(method, parameters);
  require(!reply.contains("errorText"), "{} {} failed: {}", method, parameters.dump(),
          reply.dump());
  wait_for_event("the page to load", [&](const Json& event) {
    return event["method"] == "Page.loadEventFired" && event["sessionId"] == session_;
  });
}

void Chromium::open_in_new_tab(const std::filesystem::path& file) {
  attach_new_tab();
  open(file);
}

void Chromium::use_tab(std::size_t tab) {
  session_ = sessions_.at(tab);
  send("Page.bringToFront");
}

Json Chromium::evaluate(const std::string& expression) {
  const Json reply =
      send("Runtime.evaluate",
           {{"expression", expression}, {"returnByValue", true}, {"awaitPromise", true}});
  require(!reply.contains("exceptionDetails"), "{} threw: {}", expression, reply.dump());
  return reply["result"].value("value", Json());
}

bool Chromium::wait_for(const std::string& expression, double seconds) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds * PRECIS_PATIENCE);
  while (Clock::now() < deadline) {
    if (evaluate(expression) == true) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

void Chromium::run_before_pages(const std::string& script) {
  send("Page.addScriptToEvaluateOnNewDocument", {{"source", script}});
}

void Chromium::click(const std::string& selector) {
  const Json place = evaluate(fmt::format(
      R"((() => {{
        const wanted = document.querySelector({});
        if (!wanted) return 'is not there';
        wanted.scrollIntoView({{block: 'center', behavior: 'instant'}});
        const box = wanted.getBoundingClientRect();
        const x = box.x + box.width / 2, y = box.y + box.height / 2;
        const hit = document.elementFromPoint(x, y);
        if (!hit) return 'is not visible';
        return wanted.contains(hit) || hit.closest('label')?.contains(wanted) ? {{x, y}} : 'is covered by ' + hit.outerHTML.slice(0, 80);
      }})())",
      Json(selector).dump()));
  require(place.is_object(), "{} {}.", selector, place.dump());
  for (const char* type : {"mouseMoved", "mousePressed", "mouseReleased"}) {
    send("Input.dispatchMouseEvent",
         {{"type", type},
          {"x", place["x"]},
          {"y", place["y"]},
          {"button", type == std::string("mouseMoved") ? "none" : "left"},
          {"clickCount", 1}});
  }
}

void Chromium::press(const std::string& key) {
  key_event(key_text(key).empty() ? "rawKeyDown" : "keyDown", key);
  key_event("keyUp", key);
}

void Chromium::key_event(const char* type, const std::string& key) {
  Json event = {{"type", type}, {"key", key}, {"windowsVirtualKeyCode", key_code(key)}};
  if (type == std::string("keyDown")) {
    event["text"] = key_text(key);
  }
  send("Input.dispatchKeyEvent", event);
}

void Chromium::type(const std::string& text) { send("Input.insertText", {{"text", text}}); }

void Chromium::screenshot(const std::filesystem::path& file, bool whole) {
  const Json reply =
      send("Page.captureScreenshot", {{"format", "png"}, {"captureBeyondViewport", whole}});
  std::ofstream(file, std::ios::binary) << decoded(reply["data"]);
}

void Chromium::print(const std::filesystem::path& file) {
  constexpr double inches = 1 / 25.4;  // a millimetre
  const Json reply = send(
      "Page.printToPDF",
      {{"printBackground", true}, {"paperWidth", 210 * inches}, {"paperHeight", 297 * inches}});
  std::ofstream(file, std::ios::binary) << decoded(reply["data"]);
}

std::filesystem::path Chromium::wait_for_download() {
  std::string guid;
  wait_for_event("a download to end", [&](const Json& event) {
    const bool ended =
        event["method"] == "Browser.downloadProgress" && event["params"]["state"] == "completed";
    guid = ended ? event["params"]["guid"].get<std::string>() : guid;
    return ended;
  });
  return folder_ / ("downloads/" + downloads_.at(guid));
}

Json Chromium::send(const std::string& method, const Json& parameters) {
  return send_to(session_, method, parameters);
}

Json Chromium::send_to(const std::string& session, const std::string& method,
                       const Json& parameters) {
  Json message = {{"id", ++last_id_}, {"method", method}, {"params", parameters}};
  if (!session.empty()) {
    message["sessionId"] = session;
  }
  const std::string text = message.dump() + '\0';
  for (std::size_t sent = 0; sent < text.size();) {
    const auto count = ::write(to_browser_, text.data() + sent, text.size() - sent);
    require(count > 0, "{}", with_errno("cannot write to the browser"));
    sent += static_cast<std::size_t>(count);
  }
  const auto deadline = Clock::now() + patience;
  Json reply;
  while (read_message(reply, deadline)) {
    if (reply.contains("id") && reply["id"] == last_id_) {
      require(!reply.contains("error"), "{} failed: {}", method, reply.dump());
      return reply["result"];
    }
    note_event(reply);
  }
  fail("The browser did not answer {}.", method);
}

bool Chromium::read_message(Json& message, Clock::time_point deadline) {
  while (true) {
    if (const auto end = received_.find('\0'); end != std::string::npos) {
      message = Json::parse(received_.substr(0, end));
      received_.erase(0, end + 1);
      return true;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd source{.fd = from_browser_, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&source, 1, static_cast<int>(left.count())) <= 0) {
      return false;
    }
    std::array<char, 65536> part{};
    const auto count = ::read(from_browser_, part.data(), part.size());
    require(count > 0, "The browser ended: {}", [&] {
      std::ifstream log(folder_ / "chromium.log");
      return std::string(std::istreambuf_iterator<char>(log), {});
    }());
    received_.append(part.data(), static_cast<std::size_t>(count));
  }
}

void Chromium::note_event(const Json& message) {
  if (!message.contains("method")) {
    return;
  }
  const std::string method = message["method"];
  const Json& found = message["params"];
  if (method == "Runtime.exceptionThrown") {
    complaints_.push_back("exception: " + found["exceptionDetails"].dump());
  } else if (method == "Runtime.consoleAPICalled" &&
             (found["type"] == "error" || found["type"] == "warning")) {
    complaints_.push_back("console: " + found["args"].dump());
  } else if (method == "Log.entryAdded" &&
             (found["entry"]["level"] == "error" || found["entry"]["level"] == "warning")) {
    complaints_.push_back("log: " + text_in(found["entry"], "text"));
  } else if (method == "Network.requestWillBeSent") {
    const std::string url = text_in(found["request"], "url");
    if (!url.starts_with("file:") && !url.starts_with("blob:") && !url.starts_with("about:")) {
      complaints_.push_back("request: " + url);
    }
  } else if (method == "Browser.downloadWillBegin") {
    downloads_[text_in(found, "guid")] = text_in(found, "suggestedFilename");
  }
  if (method == "Page.loadEventFired" || method == "Browser.downloadProgress") {
    events_.push_back(message);
  }
}

template <class Seen>
void Chromium::wait_for_event(const std::string& what, const Seen& seen) {
  const auto deadline = Clock::now() + patience;
  while (true) {
    for (auto event = events_.begin(); event != events_.end(); ++event) {
      if (seen(*event)) {
        events_.erase(events_.begin(), event + 1);
        return;
      }
    }
    events_.clear();
    Json message;
    if (!read_message(message, deadline)) {
      fail("Waited in vain for {}.", what);
    }
    note_event(message);
  }
}

}  // namespace precis::test
