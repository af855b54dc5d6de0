# Writes OUTPUT, a source file that holds the text of INPUT.
file(READ ${INPUT} text)
file(WRITE ${OUTPUT} "#include \"gateway/openapi.hpp\"\nnamespace berth::gateway {\nstd::string_view openapi_yaml() {\n  return R\"berth_yaml(${text})berth_yaml\";\n}\n}  // namespace berth::gateway\n")
