# Writes OUTPUT, a source file that holds the texts of FILES by name: gateway/embedded.hpp.
set(found "")
foreach(path IN LISTS FILES)
  get_filename_component(name ${path} NAME)
  file(READ ${path} text)
  string(APPEND found "  if (name == \"${name}\") return R\"berth_text(${text})berth_text\";\n")
endforeach()
file(WRITE ${OUTPUT} "#include \"gateway/embedded.hpp\"\nnamespace berth::gateway {\nstd::optional<std::string_view> embedded_text(std::string_view name) {\n${found}  return std::nullopt;\n}\n}  // namespace berth::gateway\n")
