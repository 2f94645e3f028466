# Where the programs land: plimsoll at the top of the build folder, the programs of single verbs
# (plimsoll-explain, plimsoll-watch, ...) in libexec/plimsoll beside it, and the same when installed.
if(TARGET plimsoll)
  set_target_properties(plimsoll PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  pl_program_static(plimsoll)
  install(TARGETS plimsoll RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
foreach(verb explain watch devices pull)
  if(TARGET plimsoll-${verb})
    set_target_properties(plimsoll-${verb} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/libexec/plimsoll)
    install(TARGETS plimsoll-${verb} RUNTIME DESTINATION libexec/plimsoll)
  endif()
endforeach()
